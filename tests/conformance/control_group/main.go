// Command control-group serves xDS from go-control-plane's snapshot cache.
//
// It is the control group of the conformance scenarios: they run against it to prove that they and their
// runner are right, and every place where it behaves differently is listed in the scenarios with the reason.
// State comes as JSON over HTTP (POST /state); an answer means that every open watch was told. The two
// listening ports are printed as one JSON line.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/config"
	"github.com/envoyproxy/go-control-plane/pkg/server/sotw/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// everyone is the cache key of all nodes: the control group serves one state to whoever asks.
const everyone = "everyone"

type sameForAll struct{}

// ID maps every node, also a missing one, to the same key.
func (sameForAll) ID(*core.Node) string { return everyone }

// state is the body of POST /state: per short type name a version and the resources, serialized.
type state map[string]struct {
	Version   string   `json:"version"`
	Resources [][]byte `json:"resources"`
}

// kinds says which slot of a snapshot and which message a short type name means.
var kinds = map[string]struct {
	slot types.ResponseType
	make func() types.Resource
}{
	"LDS": {types.Listener, func() types.Resource { return &listener.Listener{} }},
	"RDS": {types.Route, func() types.Resource { return &route.RouteConfiguration{} }},
	"CDS": {types.Cluster, func() types.Resource { return &cluster.Cluster{} }},
	"EDS": {types.Endpoint, func() types.Resource { return &endpoint.ClusterLoadAssignment{} }},
}

func snapshotOf(wanted state) (*cache.Snapshot, error) {
	snapshot := &cache.Snapshot{}
	for name, content := range wanted {
		kind, known := kinds[name]
		if !known {
			return nil, fmt.Errorf("unknown type %q", name)
		}
		var items []types.Resource
		for _, raw := range content.Resources {
			item := kind.make()
			if err := proto.Unmarshal(raw, item); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			items = append(items, item)
		}
		snapshot.Resources[kind.slot] = cache.NewResources(content.Version, items)
	}
	return snapshot, nil
}

func main() {
	ctx := context.Background()
	snapshots := cache.NewSnapshotCache(false, sameForAll{}, nil)
	http.HandleFunc("POST /state", func(w http.ResponseWriter, r *http.Request) {
		var wanted state
		if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		snapshot, err := snapshotOf(wanted)
		if err == nil {
			err = snapshots.SetSnapshot(ctx, everyone, snapshot)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	http.HandleFunc("DELETE /state", func(http.ResponseWriter, *http.Request) { snapshots.ClearSnapshot(everyone) })

	ads, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	control, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	ports := map[string]string{"ads": ads.Addr().String(), "control": control.Addr().String()}
	if err := json.NewEncoder(os.Stdout).Encode(ports); err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.Serve(control, nil)) }()
	rpc := grpc.NewServer()
	var options []config.XDSOption
	options = append(options, sotw.WithOrderedADS())
	discovery.RegisterAggregatedDiscoveryServiceServer(rpc, server.NewServer(ctx, snapshots, nil, options...))
	log.Fatal(rpc.Serve(ads))
}
