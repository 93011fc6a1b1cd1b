package main

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"
)

// cpuOf is the time the process has run, user and system, in microseconds.
func cpuOf(pid int) float64 {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	total := 0.0
	for _, task := range tasks {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", pid, task.Name()))
		if parts := strings.Fields(string(text)); len(parts) > 0 {
			ns, _ := strconv.ParseFloat(parts[0], 64)
			total += ns / 1e3
		}
	}
	return total
}

// rssOf is the resident memory of the process in KiB.
func rssOf(pid int) float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, "VmRSS:") {
			kib, _ := strconv.ParseFloat(strings.Fields(line)[1], 64)
			return kib
		}
	}
	return 0
}

// settle waits until the process uses under 5 % of a core, 5 s at most.
func settle(pid int) {
	for range 25 {
		before := cpuOf(pid)
		time.Sleep(200 * time.Millisecond)
		if cpuOf(pid)-before < 10_000 {
			return
		}
	}
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := append([]float64(nil), values...)
	sort.Float64s(sorted)
	return sorted[len(sorted)/2]
}
