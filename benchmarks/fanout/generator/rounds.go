package main

import (
	"slices"
	"time"
)

// push makes changes, round after round, and measures how they arrive.
func push(all []*connection, out map[string]any) {
	change, seen, watchers := changer(), newest(all), watching(all)
	expected.Store(int64(watchers))
	times = make([]int64, watchers)
	var found arrivals
	var cpu float64
	var told, toldOthers int64
	most := 0
	for round := -2; round < *rounds; round++ {
		if round == 0 {
			settle(*pid)
			cpu, told, toldOthers = cpuOf(*pid), messages.Load(), others.Load()
			lists(all) // forget those before
		}
		seen += *burst
		arrived.Store(0)
		wanted.Store(int64(seen))
		start, answered := time.Now(), make(chan time.Time, 1)
		go func() { answered <- change(seen) }()
		await("a round")
		took := <-answered
		time.Sleep(*gap)
		if round >= 0 {
			found.add(start, took)
			n, _ := lists(all)
			most = max(most, n)
		}
	}
	settle(*pid)
	cpu = cpuOf(*pid) - cpu
	pushed, changes := messages.Load()-told, float64(*rounds**burst)
	out["us_per_push"] = cpu / float64(pushed)
	out["us_per_change_and_stream"], out["cpu_ms_per_change"] = cpu/changes/float64(total), cpu/changes/1e3
	out["messages"], out["message_bytes"], out["messages_to_others"] = pushed, size.Load(), others.Load()-toldOthers
	out["messages_per_stream_and_round"] = float64(pushed) / float64(watchers) / float64(*rounds)
	out["most_messages_of_a_stream"], out["watchers"] = most, watchers
	found.show(out)
}

// arrivals are the times of each round, in ms.
type arrivals struct {
	first, p50, p99, last, spread, trigger    []float64
	afterFirst, afterP50, afterP99, afterLast []float64 // the answer to the change
}

// add takes in a round that began at start, whose change was answered at a time.
func (a *arrivals) add(start, answered time.Time) {
	slices.Sort(times)
	at := func(share float64) float64 { // ms after the start
		return float64(times[int(share*float64(len(times)-1))]-start.UnixNano()) / 1e6
	}
	took := answered.Sub(start).Seconds() * 1e3
	first, p50, p99, last := at(0), at(0.5), at(0.99), at(1)
	a.trigger, a.spread = append(a.trigger, took), append(a.spread, last-first)
	a.first, a.afterFirst = append(a.first, first), append(a.afterFirst, first-took)
	a.p50, a.afterP50 = append(a.p50, p50), append(a.afterP50, p50-took)
	a.p99, a.afterP99 = append(a.p99, p99), append(a.afterP99, p99-took)
	a.last, a.afterLast = append(a.last, last), append(a.afterLast, last-took)
}

// show gives medians over rounds.
func (a *arrivals) show(out map[string]any) {
	for name, found := range map[string][]float64{
		"first_ms": a.first, "p50_ms": a.p50, "p99_ms": a.p99, "last_ms": a.last,
		"first_to_last_ms": a.spread, "trigger_ms": a.trigger,
		"after_first_ms": a.afterFirst, "after_p50_ms": a.afterP50, "after_p99_ms": a.afterP99, "after_last_ms": a.afterLast,
	} {
		out[name] = median(found)
	}
}

// watching counts the streams that the change is for.
func watching(all []*connection) (count int) {
	each(all, func(s *stream) {
		if s.watches {
			count++
		}
	})
	return count
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
