// generator measures how fast an xDS server tells one change to many clients, or takes in many load reports.
//
// -mode push: it opens connections with one ADS stream or several, subscribes each, and asks the trigger for one change
// after the other, or for bursts of them. Each stream acknowledges every response. -mode reports: LRS streams that
// report once a second each. It speaks HTTP/2 by itself over epoll and decodes no more than it must, so that it costs
// little beside the server; TLS is Go's. Linux; standard library only.
//
// One line of JSON is printed: the server's CPU per delivered message or report, the times of the first and the last
// stream (median over rounds, from before the trigger), the storm in which all connect, memory, failures.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

var (
	port          = flag.Int("port", 18000, "the server's port on 127.0.0.1")
	mode          = flag.String("mode", "push", "push or reports")
	trigger       = flag.String("trigger", "", "URL to POST for changes; ?changes=N&within=SECONDS asks for several")
	clients       = flag.Int("connections", 1000, "connections")
	perConnection = flag.Int("streams", 1, "streams of each connection")
	services      = flag.Int("services", 1, "services each stream subscribes to: svc-0 and on; the trigger changes svc-0")
	of            = flag.Int("of", 0, "stream i subscribes to -services of so many services instead, from svc-i and round; the others are told nothing")
	resources     = flag.String("resources", "svc-{n}", "name of service n in every type, or by type: lds={n}:80,rds=...")
	nodeID        = flag.String("node-id", "node-{n}", "id of client n")
	nodeMetadata  = flag.String("node-metadata", "", "K=V,... that clients say of themselves")
	putFile       = flag.String("put", "", "instead of -trigger: JSON with url, token, ca (PEM) and body; each change is a PUT of the body")
	types         = flag.String("types", "lds,rds,cds,eds", "resource types each stream subscribes to")
	cohorts       = flag.Int("cohorts", 0, "zones the clients say they are in; 0: they say nothing")
	endpoints     = flag.Int("endpoints", 100, "endpoints of svc-0, for reports about them")
	rounds        = flag.Int("rounds", 10, "changes to measure, after two that are not")
	burst         = flag.Int("burst", 1, "changes in each round, -within one after the other")
	within        = flag.Duration("within", 100*time.Millisecond, "time over which the changes of a burst come")
	localities    = flag.Int("localities", 1, "reports: localities in each")
	duration      = flag.Duration("duration", 10*time.Second, "reports: how long")
	gap           = flag.Duration("gap", 150*time.Millisecond, "rest between the last receipt and the next change")
	limit         = flag.Duration("timeout", 60*time.Second, "longest wait for the storm and for each round")
	pid           = flag.Int("pid", 0, "the server's process")
	secured       = flag.Bool("tls", false, "TLS; the server's certificate is not judged")
)

const dialers = 64

// serve reads all connections from one thread; with TLS each from its own goroutine.
func serve(epoll int, all []*connection) {
	runtime.LockOSThread()
	buffer, events := make([]byte, 1<<18), make([]syscall.EpollEvent, 512)
	for {
		n, err := syscall.EpollWait(epoll, events, -1)
		if err != nil && err != syscall.EINTR {
			return
		}
		for _, event := range events[:max(n, 0)] {
			c := all[event.Fd]
			c.mu.Lock()
			c.readable(buffer)
			c.mu.Unlock()
		}
	}
}

func (c *connection) readable(buffer []byte) {
	got, err := syscall.Read(c.fd, buffer)
	if err != syscall.EAGAIN && (err != nil || got == 0) {
		fail("the server closed a connection")
		syscall.EpollCtl(c.epoll, syscall.EPOLL_CTL_DEL, c.fd, nil)
		return
	}
	if got > 0 {
		c.input(buffer[:got])
	}
	c.flush()
}

func (c *connection) decrypt() {
	buffer := make([]byte, 1<<13)
	for {
		got, err := c.secure.Read(buffer)
		if err != nil {
			fail("read: " + err.Error())
			return
		}
		c.mu.Lock()
		c.input(buffer[:got])
		c.flush()
		c.mu.Unlock()
	}
}

// connect opens everything. Connecting blocks where the server's backlog is full; nobody waits for another.
func connect() []*connection {
	epoll, _ := syscall.EpollCreate1(0)
	all := make([]*connection, *clients)
	var group sync.WaitGroup
	for first := range dialers {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := first; i < len(all); i += dialers {
				if c := dial(i, epoll); c != nil {
					all[i] = c
					c.start()
				}
			}
		}()
	}
	go serve(epoll, all)
	group.Wait()
	return all
}

// start says what is to be said and begins to listen.
func (c *connection) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.secure != nil {
		c.flush()
		go c.decrypt()
		return
	}
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: c.slot}
	syscall.EpollCtl(c.epoll, syscall.EPOLL_CTL_ADD, c.fd, &event)
	c.flush()
}

func await(what string) time.Time {
	select {
	case at := <-done:
		return at
	case <-time.After(*limit):
		fmt.Fprintf(os.Stderr, "generator: %s: %d of %d within the time\n", what, arrived.Load(), expected.Load())
		os.Exit(1)
	}
	panic("unreachable")
}

func main() {
	flag.Parse()
	total = int64(*clients * *perConnection)
	expected.Store(total)
	for bit, kind := range kinds {
		if strings.Contains(*types, kind.word) {
			asked |= 1 << bit
		}
	}
	named = allNames()
	rss, cpu, began := rssOf(*pid), cpuOf(*pid), time.Now()
	all := connect()
	storm := await("first responses").Sub(began).Seconds() * 1e3
	settle(*pid)
	out := map[string]any{"storm_ms": storm, "storm_cpu_ms": (cpuOf(*pid) - cpu) / 1e3, "streams": total}
	out["rss_kib_per_connection"] = (rssOf(*pid) - rss) / float64(*clients)
	out["rss_kib_per_stream"] = (rssOf(*pid) - rss) / float64(total)
	out["rss_at_rest_mib"] = rssOf(*pid) / 1024
	if *mode == "reports" {
		reports(all, out)
	} else {
		push(all, out)
	}
	out["rss_mib"] = rssOf(*pid) / 1024
	out["failures"] = failures.Load()
	json.NewEncoder(os.Stdout).Encode(out)
}
