package main

import (
	"fmt"
	"net/http"
	"time"
)

// push asks for changes, round after round, and measures how they arrive.
func push(all []*connection, out map[string]any) {
	seen := newest(all)
	var first, last, spread, asked []float64
	var cpu float64
	var told int64
	most := 0
	url := fmt.Sprintf("%s?changes=%d&within=%f", *trigger, *burst, within.Seconds())
	for round := -2; round < *rounds; round++ {
		if round == 0 {
			settle(*pid)
			cpu, told = cpuOf(*pid), messages.Load()
			most, _ = lists(all) // forget those before
			most = 0
		}
		seen += *burst
		arrived.Store(0)
		wanted.Store(int64(seen))
		start := time.Now()
		posted := make(chan float64, 1)
		go func() { posted <- post(url) }()
		end := await("a round")
		took := <-posted
		time.Sleep(*gap)
		if round >= 0 {
			first = append(first, float64(firstAt.Load()-start.UnixNano())/1e6)
			last = append(last, end.Sub(start).Seconds()*1e3)
			spread = append(spread, last[len(last)-1]-first[len(first)-1])
			asked = append(asked, took)
			if n, _ := lists(all); n > most {
				most = n
			}
		}
	}
	settle(*pid)
	pushed := messages.Load() - told
	out["us_per_push"] = (cpuOf(*pid) - cpu) / float64(pushed)
	out["messages"], out["message_bytes"] = pushed, size.Load()
	out["messages_per_stream_and_round"] = float64(pushed) / float64(total) / float64(*rounds)
	out["most_messages_of_a_stream"] = most
	out["first_ms"], out["last_ms"], out["first_to_last_ms"] = median(first), median(last), median(spread)
	out["trigger_ms"] = median(asked)
}

// post asks for one round's changes; returns how long that took in milliseconds.
func post(url string) float64 {
	start := time.Now()
	answer, err := http.Post(url, "text/plain", nil)
	if err != nil {
		fail("trigger: " + err.Error())
		return 0
	}
	answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		fail("trigger: " + answer.Status)
	}
	return time.Since(start).Seconds() * 1e3
}

// newest is the last change any stream has seen.
func newest(all []*connection) (seen int) {
	each(all, func(s *stream) { seen = max(seen, s.seen) })
	return seen
}

// lists counts the endpoint lists since the last call: the most of a stream, and all.
func lists(all []*connection) (most, sum int) {
	each(all, func(s *stream) {
		most, sum = max(most, s.lists), sum+s.lists
		s.lists = 0
	})
	return most, sum
}

func each(all []*connection, do func(*stream)) {
	for _, c := range all {
		if c == nil {
			continue
		}
		c.mu.Lock()
		for _, s := range c.streams {
			do(s)
		}
		c.mu.Unlock()
	}
}
