package main

import (
	"context"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
	corev1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	kube "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// informed has one LinearCache for each type, kept equal to a cluster by shared informers: every event updates the
// resources it touches at once. A service is called svc.namespace in all types.
func informed(kubeconfig string) cache.Cache {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	must(err)
	config.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(config)
	must(err)
	factory := informers.NewSharedInformerFactory(client, 0)
	all, linear := map[string]cache.Cache{}, map[string]*cache.LinearCache{}
	for _, each := range allTypes {
		linear[each] = cache.NewLinearCache(each)
		all[each] = linear[each]
	}
	follow(factory.Core().V1().Services().Informer(), func(object any, gone bool) {
		service := object.(*corev1.Service)
		named := service.Name + "." + service.Namespace
		for _, each := range allTypes[:3] {
			if gone {
				must(linear[each].DeleteResource(named))
			} else {
				must(linear[each].UpdateResource(named, described(each, named)))
			}
		}
	})
	sliced := factory.Discovery().V1().EndpointSlices().Informer()
	must(sliced.AddIndexers(kube.Indexers{"service": func(object any) ([]string, error) {
		return []string{owner(object)}, nil
	}}))
	follow(sliced, func(object any, _ bool) {
		found, err := sliced.GetIndexer().ByIndex("service", owner(object))
		must(err)
		must(linear[resource.EndpointType].UpdateResource(owner(object), joined(owner(object), found)))
	})
	forever := context.Background().Done()
	factory.Start(forever)
	factory.WaitForCacheSync(forever)
	return &cache.MuxCache{Classify: func(r *cache.Request) string { return r.GetTypeUrl() }, Caches: all}
}

// follow calls changed for each object that is new, different or gone.
func follow(informer kube.SharedIndexInformer, changed func(object any, gone bool)) {
	_, err := informer.AddEventHandler(kube.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { changed(object, false) },
		UpdateFunc: func(_, object any) { changed(object, false) },
		DeleteFunc: func(object any) {
			if missed, is := object.(kube.DeletedFinalStateUnknown); is {
				object = missed.Obj
			}
			changed(object, true)
		},
	})
	must(err)
}

// owner names the service of a slice.
func owner(object any) string {
	slice := object.(*discovery.EndpointSlice)
	return slice.Labels[discovery.LabelServiceName] + "." + slice.Namespace
}

// joined is the endpoint list of a service: the ready endpoints of all its slices, by zone.
func joined(named string, slices []any) *endpoint.ClusterLoadAssignment {
	byZone := map[string]*endpoint.LocalityLbEndpoints{}
	made := &endpoint.ClusterLoadAssignment{ClusterName: named}
	for _, each := range slices {
		slice := each.(*discovery.EndpointSlice)
		if len(slice.Ports) == 0 || slice.Ports[0].Port == nil {
			continue
		}
		for _, one := range slice.Endpoints {
			if one.Conditions.Ready != nil && !*one.Conditions.Ready {
				continue
			}
			zone := ""
			if one.Zone != nil {
				zone = *one.Zone
			}
			group := byZone[zone]
			if group == nil {
				group = &endpoint.LocalityLbEndpoints{Locality: &core.Locality{Zone: zone}, LoadBalancingWeight: wrapperspb.UInt32(0)}
				byZone[zone] = group
				made.Endpoints = append(made.Endpoints, group)
			}
			group.LbEndpoints = append(group.LbEndpoints, backend(one.Addresses[0], uint32(*slice.Ports[0].Port)))
			group.LoadBalancingWeight.Value++
		}
	}
	return made
}
