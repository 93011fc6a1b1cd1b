// Command go-client is a stock grpc-go client with xDS, driven by JSON lines on stdin.
//
// Start: go-client TARGET [CHANNELS], with GRPC_XDS_BOOTSTRAP_CONFIG set for xds:/// targets; "{}" in the target
// is replaced by the channel's number. Commands: call {n, parallel}, slow_call {n}, start_load {rps}, stop_load,
// quit; one JSON line answers each. The same protocol as tests/support/clients_grpcio.py and ../node/client.js.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/xds" // the xds:/// resolver and its policies
)

const (
	echo = "/lab.Echo/Echo"
	slow = "/lab.Echo/Slow"
)

// command is one line of stdin.
type command struct {
	Cmd      string  `json:"cmd"`
	N        int     `json:"n"`
	Parallel int     `json:"parallel"`
	RPS      float64 `json:"rps"`
}

// client holds the channels and the running load of this process.
type client struct {
	channels []*grpc.ClientConn
	stop     chan struct{}
	load     chan answer
}

func dial(target string, channels int) (*client, error) {
	made := &client{}
	for i := range channels {
		conn, err := grpc.NewClient(
			strings.ReplaceAll(target, "{}", strconv.Itoa(i)),
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.ForceCodecV2(raw{})),
		)
		if err != nil {
			return nil, err
		}
		made.channels = append(made.channels, conn)
	}
	return made, nil
}

// calls makes n calls, at most parallel at once, spread over the channels in turn.
func (c *client) calls(n int, method string, parallel int) answer {
	count := newTally()
	numbers := make(chan int)
	var workers sync.WaitGroup
	for range parallel {
		workers.Go(func() {
			for i := range numbers {
				count.call(c.channels[i%len(c.channels)], method)
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	workers.Wait()
	return count.answer()
}

// runLoad starts calls at a steady rate until told to stop, then waits for the last ones.
func (c *client) runLoad(rps float64) answer {
	count := newTally()
	start := time.Now()
	var running sync.WaitGroup
	for i := 0; ; i++ {
		select {
		case <-c.stop:
			running.Wait()
			return count.answer()
		case <-time.After(time.Until(start.Add(time.Duration(float64(i) / rps * float64(time.Second))))):
			running.Go(func() { count.call(c.channels[i%len(c.channels)], echo) })
		}
	}
}

// handle carries out one command and returns what to answer.
func (c *client) handle(line command) (any, error) {
	switch line.Cmd {
	case "call":
		return c.calls(line.N, echo, max(line.Parallel, 1)), nil
	case "slow_call":
		return c.calls(line.N, slow, line.N), nil
	case "start_load":
		c.stop, c.load = make(chan struct{}), make(chan answer, 1)
		go func() { c.load <- c.runLoad(line.RPS) }()
		return struct{}{}, nil
	case "stop_load":
		close(c.stop)
		return <-c.load, nil
	}
	return nil, fmt.Errorf("no such command: %q", line.Cmd)
}

func run(target string, channels int) error {
	client, err := dial(target, channels)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(map[string]bool{"ready": true}); err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var line command
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return err
		}
		if line.Cmd == "quit" {
			return nil
		}
		reply, err := client.handle(line)
		if err != nil {
			return err
		}
		if err := out.Encode(reply); err != nil {
			return err
		}
	}
	return lines.Err()
}

func main() {
	channels := 1
	if len(os.Args) > 2 {
		var err error
		if channels, err = strconv.Atoi(os.Args[2]); err != nil {
			log.Fatal(err)
		}
	}
	if err := run(os.Args[1], channels); err != nil {
		log.Fatal(err)
	}
}
