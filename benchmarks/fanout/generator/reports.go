package main

import "time"

const tick = 2 * time.Millisecond

// reports lets every stream report once a second, evenly spread, and measures what that costs the server.
func reports(all []*connection, out map[string]any) {
	var streams []*stream
	each(all, func(s *stream) { streams = append(streams, s) })
	sent := 0
	var cpu float64
	var counted int
	var began time.Time
	send := func(until time.Time) {
		for start, first := time.Now(), sent; time.Now().Before(until); time.Sleep(tick) {
			due := first + int(time.Since(start).Seconds()*float64(len(streams)))
			for ; sent < due; sent++ {
				s := streams[sent%len(streams)]
				s.c.mu.Lock()
				s.send(report(nil, s.number, 1+sent/len(streams)))
				s.c.flush()
				s.c.mu.Unlock()
			}
		}
	}
	send(time.Now().Add(2 * time.Second)) // not counted
	cpu, counted, began = cpuOf(*pid), sent, time.Now()
	send(began.Add(*duration))
	out["reports_per_second"] = float64(sent-counted) / time.Since(began).Seconds()
	time.Sleep(200 * time.Millisecond)
	out["us_per_report"] = (cpuOf(*pid) - cpu) / float64(sent-counted)
	out["reports"], out["all_reports"] = sent-counted, sent
	held := 0
	each(all, func(s *stream) { held += len(s.held) })
	out["held"] = held
}
