package main

import (
	"sync"

	lrs "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
	"google.golang.org/protobuf/types/known/durationpb"
)

// loads takes load reports in: it parses each and adds it up under a mutex.
type loads struct {
	lrs.UnimplementedLoadReportingServiceServer
	mu   sync.Mutex
	kept map[string]uint64
}

func (l *loads) StreamLoadStats(stream lrs.LoadReportingService_StreamLoadStatsServer) error {
	for first := true; ; first = false {
		request, err := stream.Recv()
		if err != nil {
			return err
		}
		l.mu.Lock()
		for _, stats := range request.GetClusterStats() {
			for _, locality := range stats.GetUpstreamLocalityStats() {
				l.kept[locality.GetLocality().GetSubZone()] += locality.GetTotalSuccessfulRequests()
			}
		}
		l.mu.Unlock()
		if first {
			answer := &lrs.LoadStatsResponse{SendAllClusters: true, LoadReportingInterval: durationpb.New(1e9)}
			if err := stream.Send(answer); err != nil {
				return err
			}
		}
	}
}
