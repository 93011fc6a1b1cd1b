// linear is the peer of the fan-out benchmark: go-control-plane's LinearCache behind its own server, one endpoint list.
// A POST to the second port makes one change: the last endpoint's address becomes 10.99.(k/256).(k%256).
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math"
	"net"
	"net/http"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func backend(ip string) *endpoint.LbEndpoint {
	port := &core.SocketAddress_PortValue{PortValue: 8080}
	address := &core.SocketAddress{Address: ip, PortSpecifier: port}
	inner := &endpoint.Endpoint{Hostname: fmt.Sprintf("backend-%09s", ip), Address: &core.Address{Address: &core.Address_SocketAddress{SocketAddress: address}}}
	return &endpoint.LbEndpoint{
		HostIdentifier:      &endpoint.LbEndpoint_Endpoint{Endpoint: inner},
		HealthStatus:        core.HealthStatus_HEALTHY,
		LoadBalancingWeight: wrapperspb.UInt32(100),
	}
}

func assignment(backends []*endpoint.LbEndpoint) *endpoint.ClusterLoadAssignment {
	group := &endpoint.LocalityLbEndpoints{
		Locality:            &core.Locality{Region: "region", Zone: "zone"},
		LoadBalancingWeight: wrapperspb.UInt32(100),
		LbEndpoints:         backends,
	}
	return &endpoint.ClusterLoadAssignment{ClusterName: "svc", Endpoints: []*endpoint.LocalityLbEndpoints{group}}
}

func main() {
	port := flag.Int("port", 18000, "port of the clients; the trigger has the next one")
	endpoints := flag.Int("endpoints", 100, "endpoints of the service")
	flag.Parse()
	linear := cache.NewLinearCache(resource.EndpointType)
	changes := 0
	change := func() {
		backends := make([]*endpoint.LbEndpoint, 0, *endpoints)
		for i := 1; i < *endpoints; i++ {
			backends = append(backends, backend(fmt.Sprintf("10.0.%d.%d", i>>8, i&255)))
		}
		backends = append(backends, backend(fmt.Sprintf("10.99.%d.%d", changes>>8, changes&255)))
		changes++
		if err := linear.UpdateResource("svc", assignment(backends)); err != nil {
			log.Fatal(err)
		}
	}
	change()
	served := grpc.NewServer(grpc.MaxConcurrentStreams(math.MaxUint32))
	discovery.RegisterAggregatedDiscoveryServiceServer(served, server.NewServer(context.Background(), linear, nil))
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/", func(http.ResponseWriter, *http.Request) { change() })
	go func() { log.Fatal(http.ListenAndServe(fmt.Sprintf("127.0.0.1:%d", *port+1), nil)) }()
	log.Fatal(served.Serve(listener))
}
