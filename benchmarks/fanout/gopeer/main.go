// gopeer is the peer of the fan-out benchmark: go-control-plane's LinearCache or SnapshotCache behind its own server, and
// a load reporting service that takes reports in. All services have the same endpoints. A POST to the second port makes
// changes of svc-0: its last endpoint becomes 10.99.(k/256).(k%256); ?changes=N&within=SECONDS asks for several. With
// -kubeconfig the linear caches hold the Services and EndpointSlices of a cluster instead (informer.go).
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math"
	"net"
	"net/http"
	"strconv"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	lrs "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

var (
	kind      = flag.String("cache", "linear", "linear or snapshot")
	port      = flag.Int("port", 18000, "port of the clients; the trigger has the next one")
	services  = flag.Int("services", 1, "services: svc-0 and on")
	endpoints = flag.Int("endpoints", 100, "endpoints of each service")
	cert      = flag.String("cert", "", "TLS: the certificate's file")
	key       = flag.String("key", "", "TLS: the key's file")
	kubeconf  = flag.String("kubeconfig", "", "serve this cluster's services instead")
)

// allTypes in the order in which clients ask.
var allTypes = []string{resource.ListenerType, resource.RouteType, resource.ClusterType, resource.EndpointType}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// linear has one LinearCache for each type; change replaces one endpoint list.
func linear() (cache.Cache, func(change int)) {
	all := map[string]cache.Cache{}
	for _, each := range allTypes {
		one := cache.NewLinearCache(each)
		for i := range *services {
			must(one.UpdateResource(name(i), made(each, i, 0)))
		}
		all[each] = one
	}
	mux := &cache.MuxCache{Classify: func(r *cache.Request) string { return r.GetTypeUrl() }, Caches: all}
	return mux, func(change int) {
		must(all[resource.EndpointType].(*cache.LinearCache).UpdateResource(name(0), made(resource.EndpointType, 0, change)))
	}
}

type everybody struct{}

func (everybody) ID(*core.Node) string { return "all" }

// snapshot has one SnapshotCache; change sets a snapshot whose other resources are those of before.
func snapshot() (cache.Cache, func(change int)) {
	kept := map[resource.Type][]types.Resource{}
	for _, each := range allTypes {
		for i := range *services {
			kept[each] = append(kept[each], made(each, i, 0))
		}
	}
	served := cache.NewSnapshotCache(true, everybody{}, nil)
	change := func(change int) {
		kept[resource.EndpointType][0] = made(resource.EndpointType, 0, change)
		fresh, err := cache.NewSnapshot("0", kept)
		must(err)
		fresh.Resources[types.Endpoint].Version = strconv.Itoa(change) // the others stay what they were
		must(served.SetSnapshot(context.Background(), "all", fresh))
	}
	change(0)
	return served, change
}

func main() {
	flag.Parse()
	var cached cache.Cache
	change := func(int) {}
	if *kubeconf != "" {
		cached = informed(*kubeconf)
	} else {
		cached, change = map[string]func() (cache.Cache, func(int)){"linear": linear, "snapshot": snapshot}[*kind]()
	}
	options := []grpc.ServerOption{grpc.MaxConcurrentStreams(math.MaxUint32)}
	if *cert != "" {
		secured, err := credentials.NewServerTLSFromFile(*cert, *key)
		must(err)
		options = append(options, grpc.Creds(secured))
	}
	served := grpc.NewServer(options...)
	discovery.RegisterAggregatedDiscoveryServiceServer(served, server.NewServer(context.Background(), cached, nil))
	lrs.RegisterLoadReportingServiceServer(served, &loads{kept: map[string]uint64{}})
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	must(err)
	last := 0
	http.HandleFunc("/", func(_ http.ResponseWriter, request *http.Request) {
		count, _ := strconv.Atoi(request.FormValue("changes"))
		within, _ := strconv.ParseFloat(request.FormValue("within"), 64)
		for start, i := time.Now(), 0; i < max(count, 1); i++ {
			time.Sleep(time.Until(start.Add(time.Duration(float64(i) * within / float64(count) * 1e9))))
			last++
			change(last)
		}
	})
	go func() { log.Fatal(http.ListenAndServe(fmt.Sprintf("127.0.0.1:%d", *port+1), nil)) }()
	log.Fatal(served.Serve(listener))
}
