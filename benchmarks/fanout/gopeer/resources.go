package main

import (
	"fmt"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func name(i int) string { return fmt.Sprintf("svc-%d", i) }

// made is resource i of a type; change stands in its last endpoint.
func made(kind string, i, change int) types.Resource {
	if kind == resource.EndpointType {
		return assignment(i, change)
	}
	return described(kind, name(i))
}

// described is a service's listener, route configuration or cluster.
func described(kind, named string) types.Resource {
	switch kind {
	case resource.ListenerType:
		return api(named)
	case resource.RouteType:
		return routes(named)
	}
	source := &cluster.Cluster_EdsClusterConfig{EdsConfig: sameStream()}
	discovered := &cluster.Cluster_Type{Type: cluster.Cluster_EDS}
	return &cluster.Cluster{Name: named, ClusterDiscoveryType: discovered, EdsClusterConfig: source}
}

func sameStream() *core.ConfigSource {
	return &core.ConfigSource{
		ResourceApiVersion:    core.ApiVersion_V3,
		ConfigSourceSpecifier: &core.ConfigSource_Ads{Ads: &core.AggregatedConfigSource{}},
	}
}

func api(named string) *listener.Listener {
	routed := &hcm.Rds{RouteConfigName: named, ConfigSource: sameStream()}
	managed, err := anypb.New(&hcm.HttpConnectionManager{RouteSpecifier: &hcm.HttpConnectionManager_Rds{Rds: routed}})
	must(err)
	return &listener.Listener{Name: named, ApiListener: &listener.ApiListener{ApiListener: managed}}
}

func routes(named string) *route.RouteConfiguration {
	action := &route.RouteAction{ClusterSpecifier: &route.RouteAction_Cluster{Cluster: named}}
	prefix := &route.RouteMatch{PathSpecifier: &route.RouteMatch_Prefix{Prefix: ""}}
	one := &route.Route{Match: prefix, Action: &route.Route_Route{Route: action}}
	host := &route.VirtualHost{Name: named, Domains: []string{"*"}, Routes: []*route.Route{one}}
	return &route.RouteConfiguration{Name: named, VirtualHosts: []*route.VirtualHost{host}}
}

func backend(ip string, number uint32) *endpoint.LbEndpoint {
	port := &core.SocketAddress_PortValue{PortValue: number}
	address := &core.SocketAddress{Address: ip, PortSpecifier: port}
	inner := &endpoint.Endpoint{Hostname: fmt.Sprintf("backend-%09s", ip), Address: &core.Address{Address: &core.Address_SocketAddress{SocketAddress: address}}}
	return &endpoint.LbEndpoint{
		HostIdentifier:      &endpoint.LbEndpoint_Endpoint{Endpoint: inner},
		HealthStatus:        core.HealthStatus_HEALTHY,
		LoadBalancingWeight: wrapperspb.UInt32(100),
	}
}

func assignment(i, change int) *endpoint.ClusterLoadAssignment {
	backends := make([]*endpoint.LbEndpoint, 0, *endpoints)
	for k := 1; k < *endpoints; k++ {
		backends = append(backends, backend(fmt.Sprintf("10.0.%d.%d", k>>8, k&255), 8080))
	}
	backends = append(backends, backend(fmt.Sprintf("10.99.%d.%d", change>>8, change&255), 8080))
	group := &endpoint.LocalityLbEndpoints{
		Locality:            &core.Locality{Region: "region", Zone: "zone"},
		LoadBalancingWeight: wrapperspb.UInt32(100),
		LbEndpoints:         backends,
	}
	return &endpoint.ClusterLoadAssignment{ClusterName: name(i), Endpoints: []*endpoint.LocalityLbEndpoints{group}}
}
