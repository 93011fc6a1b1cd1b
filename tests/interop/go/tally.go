package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
)

const (
	keptErrors  = 5
	callTimeout = 20 * time.Second
)

// raw passes bytes through as they are: the backends know no protos.
type raw struct{}

func (raw) Name() string { return "raw" }

func (raw) Marshal(v any) (mem.BufferSlice, error) {
	bytes, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("want []byte, got %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(bytes)}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, v any) error {
	into, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("want *[]byte, got %T", v)
	}
	*into = data.Materialize()
	return nil
}

// failure tells how one call failed, and after how many seconds.
type failure struct {
	Code    string  `json:"code"`
	Details string  `json:"details"`
	Seconds float64 `json:"seconds"`
}

// answer is the JSON object that a command is answered with.
type answer struct {
	OK       int            `json:"ok"`
	Failed   int            `json:"failed"`
	Backends map[string]int `json:"backends"`
	Errors   []failure      `json:"errors"`
}

// tally counts calls by answering backend and keeps the first few errors in full.
type tally struct {
	mu  sync.Mutex
	now answer
}

func newTally() *tally {
	return &tally{now: answer{Backends: map[string]int{}, Errors: []failure{}}}
}

// call makes one call and counts how it ended.
func (t *tally) call(conn *grpc.ClientConn, method string) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	started := time.Now()
	var reply []byte
	err := conn.Invoke(ctx, method, []byte("x"), &reply)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.now.OK++
		t.now.Backends["127.0.0.1:"+string(reply)]++
		return
	}
	t.now.Failed++
	if len(t.now.Errors) < keptErrors {
		seen := status.Convert(err)
		t.now.Errors = append(t.now.Errors, failure{wireName(seen.Code()), seen.Message(), time.Since(started).Seconds()})
	}
}

func (t *tally) answer() answer {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now
}

// wireName spells a code as the other languages do.
func wireName(code codes.Code) string {
	names := [...]string{
		"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
		"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
		"INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
	}
	if int(code) < len(names) {
		return names[code]
	}
	return code.String()
}
