package main

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// connection is one HTTP/2 connection with its streams. Only what is under the mutex is touched by several threads.
type connection struct {
	fd      int
	secure  *tls.Conn // nil in plaintext
	epoll   int
	slot    int32
	kept    []byte // of an unfinished frame
	streams []*stream

	mu      sync.Mutex
	out     []byte // not yet written
	waits   bool   // for the socket to take more
	window  int64  // what the server lets us send
	initial int64  // the same of a new stream
}

type stream struct {
	c       *connection
	id      uint32
	number  int
	window  int64
	held    [][]byte // DATA frames for which there is no window
	message []byte   // of an unfinished message
	seen    int      // change received last
	told    byte     // types answered, one bit each
	ready   bool     // every type was answered, or the first report
	lists   int      // endpoint lists received
	names   [][]byte // of each type, field 3 of every request
	watches bool     // svc-0, which changes
}

// state of the round under way.
var (
	wanted   atomic.Int64 // change that counts
	arrived  atomic.Int64 // streams that have it
	expected atomic.Int64 // streams that will
	messages atomic.Int64
	others   atomic.Int64 // messages to streams that do not watch svc-0
	size     atomic.Int64 // bytes of the last endpoint list
	failures atomic.Int64
	done     = make(chan time.Time, 1)
)

// shared by all streams, fixed before the first one opens.
var (
	total int64      // streams
	named [][][]byte // of each group and type, field 3 of every request
	asked byte       // types asked for, one bit each
	times []int64    // of the arrivals of a round, ns
)

func fail(words string) {
	if failures.Add(1) == 1 {
		fmt.Fprintln(os.Stderr, "generator:", words)
	}
}

// dial connects from one of 16 loopback addresses, so that ports last and no address has too many connections.
func dial(i, epoll int) *connection {
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
	c := &connection{fd: fd, epoll: epoll, slot: int32(i), window: firstWindow, initial: firstWindow}
	c.mu.Lock()
	defer c.mu.Unlock()
	if *secured && !c.encrypt() {
		return nil
	}
	c.out = preface()
	for k := range *perConnection {
		s := &stream{c: c, id: uint32(2*k + 1), number: i**perConnection + k, window: firstWindow, seen: -1}
		group := s.number % len(named)
		s.names, s.watches = named[group], group == 0 || group+*services > *of
		c.streams = append(c.streams, s)
		s.begin()
	}
	return c
}

func (c *connection) encrypt() bool {
	file := os.NewFile(uintptr(c.fd), "")
	plain, err := net.FileConn(file) // has its own copy of the descriptor
	file.Close()
	if err != nil {
		fail("net: " + err.Error())
		return false
	}
	config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}
	c.secure = tls.Client(plain, config)
	c.secure.SetDeadline(time.Now().Add(*limit))
	if err := c.secure.Handshake(); err != nil {
		fail("handshake: " + err.Error())
		return false
	}
	c.secure.SetDeadline(time.Time{})
	return true
}

// begin opens the stream and subscribes, or introduces the reporter.
func (s *stream) begin() {
	if *mode == "reports" {
		s.c.out = append(s.c.out, opening(s.id, lrsPath)...)
		s.send(report(node(s.number), s.number, 0))
		return
	}
	s.c.out = append(s.c.out, opening(s.id, adsPath)...)
	introduced := node(s.number)
	for bit, kind := range kinds {
		if asked>>bit&1 == 1 {
			s.send(request([]byte(kind.url), nil, nil, introduced, s.names[bit]))
			introduced = nil
		}
	}
}

// send queues a message; the caller holds the mutex and flushes.
func (s *stream) send(message []byte) {
	s.held = append(s.held, data(s.id, message))
	s.release()
}

// release queues what the windows allow.
func (s *stream) release() {
	for len(s.held) > 0 {
		n := int64(len(s.held[0]) - 9)
		if s.c.window < n || s.window < n {
			return
		}
		s.c.window -= n
		s.window -= n
		s.c.out = append(s.c.out, s.held[0]...)
		s.held = s.held[1:]
	}
	s.held = nil
}

// flush writes what it can; the caller holds the mutex.
func (c *connection) flush() {
	if c.secure != nil {
		if len(c.out) > 0 {
			if _, err := c.secure.Write(c.out); err != nil {
				fail("write: " + err.Error())
			}
			c.out = c.out[:0]
		}
		return
	}
	for len(c.out) > 0 {
		n, err := syscall.Write(c.fd, c.out)
		if err == syscall.EAGAIN {
			c.watch(true)
			return
		}
		if err != nil {
			fail("write: " + err.Error())
			c.out = nil
			return
		}
		c.out = c.out[:copy(c.out, c.out[n:])]
	}
	if cap(c.out) > 1<<14 {
		c.out = nil
	}
	c.watch(false)
}

// watch asks to be told, or not, when the socket takes more.
func (c *connection) watch(writable bool) {
	if writable == c.waits {
		return
	}
	c.waits = writable
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: c.slot}
	if writable {
		event.Events |= syscall.EPOLLOUT
	}
	syscall.EpollCtl(c.epoll, syscall.EPOLL_CTL_MOD, c.fd, &event)
}

// input takes bytes in; the caller holds the mutex and flushes.
func (c *connection) input(data []byte) {
	if len(c.kept) > 0 {
		data = append(c.kept, data...)
	}
	for len(data) >= 9 {
		n := int(data[0])<<16 | int(data[1])<<8 | int(data[2])
		if len(data) < 9+n {
			break
		}
		c.frame(data[3], data[4], binary.BigEndian.Uint32(data[5:]), data[9:9+n])
		data = data[9+n:]
	}
	c.kept = append(c.kept[:0:0], data...)
}

func (c *connection) frame(kind, flags byte, id uint32, payload []byte) {
	switch kind {
	case typeData:
		if s := c.stream(id); s != nil {
			s.take(payload)
		}
	case typeHeaders:
		if flags&1 != 0 {
			fail("the server ended a stream")
		}
	case typeSettings:
		if flags&1 == 0 {
			c.settings(payload)
			c.out = append(c.out, frame(kind, 1, 0, nil)...)
		}
	case typePing:
		if flags&1 == 0 {
			c.out = append(c.out, frame(kind, 1, 0, payload)...)
		}
	case typeWindow:
		c.widen(id, int64(binary.BigEndian.Uint32(payload)))
	case typeReset, typeGoaway:
		fail(fmt.Sprintf("frame %d: % x", kind, payload))
	}
}

func (c *connection) stream(id uint32) *stream {
	if k := int(id-1) / 2; id > 0 && k < len(c.streams) {
		return c.streams[k]
	}
	return nil
}

func (c *connection) settings(payload []byte) {
	for ; len(payload) >= 6; payload = payload[6:] {
		if binary.BigEndian.Uint16(payload) == 4 {
			value := int64(binary.BigEndian.Uint32(payload[2:]))
			for _, s := range c.streams {
				s.window += value - c.initial
			}
			c.initial = value
		}
	}
	c.widen(0, 0)
}

func (c *connection) widen(id uint32, by int64) {
	if s := c.stream(id); s != nil {
		s.window += by
		s.release()
		return
	}
	c.window += by
	for _, s := range c.streams {
		if s.held != nil {
			s.release()
		}
	}
}

// take joins the pieces of messages.
func (s *stream) take(payload []byte) {
	s.message = append(s.message, payload...)
	for len(s.message) >= 5 {
		n := 5 + int(binary.BigEndian.Uint32(s.message[1:]))
		if len(s.message) < n {
			return
		}
		messages.Add(1)
		if *mode == "reports" {
			s.answered()
		} else {
			s.read(s.message[5:n])
		}
		s.message = s.message[:copy(s.message, s.message[n:])]
	}
	s.message = nil
}

// count notes that one more stream has what all wait for.
func count() {
	n, at := arrived.Add(1), time.Now()
	if n <= int64(len(times)) {
		times[n-1] = at.UnixNano()
	}
	if n == expected.Load() {
		done <- at
	}
}

func (s *stream) answered() {
	if !s.ready {
		s.ready = true
		count()
	}
}

// read takes a response in and acknowledges it.
func (s *stream) read(message []byte) {
	version, url, nonce := response(message)
	var names []byte
	for bit, kind := range kinds {
		if kind.url == string(url) {
			s.told |= 1 << bit
			names = s.names[bit]
		}
	}
	if !s.watches {
		others.Add(1)
	}
	before := s.seen
	if string(url) == endpointsURL {
		size.Store(int64(len(message)))
		s.lists++
		s.seen = max(s.seen, change(message))
	}
	if s.told == asked && !s.ready {
		s.answered()
	} else if want := int(wanted.Load()); s.watches && before < want && s.seen >= want {
		count()
	}
	s.send(request(url, version, nonce, nil, names))
}
