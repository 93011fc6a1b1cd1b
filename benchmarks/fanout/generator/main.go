// generator measures how fast an xDS server tells one change to many clients.
//
// It opens one connection with one ADS stream per client, subscribes each to one endpoint list, and asks the trigger
// for one change after the other. Each client acknowledges every response. It speaks HTTP/2 by itself over epoll and
// decodes no more than it must, so that it costs little beside the server. Linux; standard library only.
//
// One line of JSON is printed: the server's CPU per delivered message, the times of the first and the last client
// (median over rounds, from before the trigger), the storm in which all connect, memory per connection, failures.
package main

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	port     = flag.Int("port", 18000, "the server's port on 127.0.0.1")
	trigger  = flag.String("trigger", "", "URL to POST for one change")
	clients  = flag.Int("connections", 1000, "connections, one stream each")
	rounds   = flag.Int("rounds", 10, "changes to measure, after two that are not")
	gap      = flag.Duration("gap", 150*time.Millisecond, "rest between the last receipt and the next change")
	limit    = flag.Duration("timeout", 60*time.Second, "longest wait for the storm and for each round")
	pid      = flag.Int("pid", 0, "the server's process")
	resource = flag.String("resource", "svc", "endpoint list to subscribe to")
)

const dialers = 64

type client struct {
	fd      int
	kept    []byte // of an unfinished frame
	message []byte // of an unfinished message
	seen    int    // change received last
}

// state of the round under way; only the reading thread writes it.
var (
	wanted   atomic.Int64 // change that counts
	arrived  atomic.Int64 // clients that have it
	firstAt  atomic.Int64 // ns
	messages atomic.Int64
	size     atomic.Int64 // bytes of the last message
	failures atomic.Int64
	done     = make(chan time.Time, 1)
)

func fail(words string) {
	if failures.Add(1) == 1 {
		fmt.Fprintln(os.Stderr, "generator:", words)
	}
}

// dial connects from one of 16 loopback addresses, so that ports last and no address has too many connections.
func dial(i int) *client {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		fail("socket: " + err.Error())
		return nil
	}
	syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, 24, 1)                                           // IP_BIND_ADDRESS_NO_PORT
	syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1}) // no TIME_WAIT
	syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(2 + i%16)}})
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: *port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		fail("connect: " + err.Error())
		return nil
	}
	syscall.SetNonblock(fd, true)
	c := &client{fd: fd, seen: -1}
	c.write(greeting(fmt.Sprintf("node-%d", i), *resource))
	return c
}

func (c *client) write(data []byte) {
	if n, err := syscall.Write(c.fd, data); err != nil || n != len(data) {
		fail(fmt.Sprintf("write: %d of %d bytes, %v", n, len(data), err))
	}
}

func (c *client) input(data []byte) {
	if len(c.kept) > 0 {
		data = append(c.kept, data...)
	}
	for len(data) >= 9 {
		n := int(data[0])<<16 | int(data[1])<<8 | int(data[2])
		if len(data) < 9+n {
			break
		}
		c.frame(data[3], data[4], data[9:9+n])
		data = data[9+n:]
	}
	c.kept = append(c.kept[:0:0], data...)
}

func (c *client) frame(kind, flags byte, payload []byte) {
	switch kind {
	case typeData:
		c.message = append(c.message, payload...)
		for len(c.message) >= 5 {
			n := 5 + int(binary.BigEndian.Uint32(c.message[1:]))
			if len(c.message) < n {
				return
			}
			c.told(c.message[5:n])
			c.message = c.message[:copy(c.message, c.message[n:])]
		}
	case typeHeaders:
		if flags&1 != 0 {
			fail("the server ended a stream")
		}
	case typeSettings, typePing:
		if flags&1 == 0 && kind == typePing {
			c.write(frame(kind, 1, 0, payload))
		} else if flags&1 == 0 {
			c.write(frame(kind, 1, 0, nil))
		}
	case typeReset, typeGoaway:
		fail(fmt.Sprintf("frame %d: % x", kind, payload))
	}
}

// told takes a response in and acknowledges it.
func (c *client) told(message []byte) {
	messages.Add(1)
	size.Store(int64(len(message)))
	version, nonce := response(message)
	before, now := c.seen, change(message)
	c.seen = now
	if want := int(wanted.Load()); before < want && now >= want {
		n := arrived.Add(1)
		if n == 1 {
			firstAt.Store(time.Now().UnixNano())
		}
		if n == int64(*clients) {
			done <- time.Now()
		}
	}
	c.write(request(version, nonce, "", *resource))
}

// read serves all clients from one thread.
func read(epoll int, all []*client) {
	runtime.LockOSThread()
	buffer, events := make([]byte, 1<<18), make([]syscall.EpollEvent, 512)
	for {
		n, err := syscall.EpollWait(epoll, events, -1)
		if err != nil && err != syscall.EINTR {
			return
		}
		for _, event := range events[:max(n, 0)] {
			c := all[event.Fd]
			got, err := syscall.Read(c.fd, buffer)
			if err == syscall.EAGAIN {
				continue
			}
			if err != nil || got == 0 {
				fail("the server closed a connection")
				syscall.EpollCtl(epoll, syscall.EPOLL_CTL_DEL, c.fd, nil)
				continue
			}
			c.input(buffer[:got])
		}
	}
}

func await(what string) time.Time {
	select {
	case at := <-done:
		return at
	case <-time.After(*limit):
		fmt.Fprintf(os.Stderr, "generator: %s: %d of %d within the time\n", what, arrived.Load(), *clients)
		os.Exit(1)
	}
	panic("unreachable")
}

func main() {
	flag.Parse()
	epoll, _ := syscall.EpollCreate1(0)
	all := make([]*client, *clients)
	before := rssOf(*pid)
	cpu, began := cpuOf(*pid), time.Now()
	for first := range dialers { // Connecting blocks where the server's backlog is full; nobody waits for another.
		go func() {
			for i := first; i < len(all); i += dialers {
				if all[i] = dial(i); all[i] != nil {
					event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(i)}
					syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, all[i].fd, &event)
				}
			}
		}()
	}
	go read(epoll, all)
	storm := await("first responses").Sub(began).Seconds() * 1e3
	time.Sleep(500 * time.Millisecond)
	out := map[string]any{"storm_ms": storm, "storm_cpu_ms": (cpuOf(*pid) - cpu) / 1e3}
	out["rss_kib_per_connection"] = (rssOf(*pid) - before) / float64(*clients)
	seen := all[0].seen
	var first, last []float64
	var told int64
	for round := -2; round < *rounds; round++ {
		if round == 0 {
			cpu, told = cpuOf(*pid), messages.Load()
		}
		seen++
		arrived.Store(0)
		wanted.Store(int64(seen))
		start := time.Now()
		answer, err := http.Post(*trigger, "text/plain", nil)
		if err != nil {
			fail("trigger: " + err.Error())
		} else {
			answer.Body.Close()
		}
		end := await("a round")
		if round >= 0 {
			first = append(first, float64(firstAt.Load()-start.UnixNano())/1e6)
			last = append(last, end.Sub(start).Seconds()*1e3)
		}
		time.Sleep(*gap)
	}
	pushed := messages.Load() - told
	out["us_per_push"] = (cpuOf(*pid) - cpu) / float64(pushed)
	out["messages"], out["message_bytes"] = pushed, size.Load()
	out["first_ms"], out["last_ms"] = median(first), median(last)
	spread := make([]float64, len(first))
	for i := range first {
		spread[i] = last[i] - first[i]
	}
	out["first_to_last_ms"] = median(spread)
	out["rss_mib"] = rssOf(*pid) / 1024
	out["failures"] = failures.Load()
	json.NewEncoder(os.Stdout).Encode(out)
}
