package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// What the generator speaks of HTTP/2, gRPC and xDS. It opens its own receive windows so far at the start that nobody
// has to think of them again; the server's are heeded (connection.go).

const (
	typeData, typeHeaders, typeReset, typeSettings, typePing, typeGoaway, typeWindow = 0, 1, 3, 4, 6, 7, 8

	firstWindow = 65_535 // RFC 9113 section 6.9.2
	wideWindow  = 1 << 30
	adsPath     = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
	lrsPath     = "/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats"
)

// kinds are the resource types by their short names, in the order in which clients ask for them.
var kinds = []struct{ word, url string }{
	{"lds", "type.googleapis.com/envoy.config.listener.v3.Listener"},
	{"rds", "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"},
	{"cds", "type.googleapis.com/envoy.config.cluster.v3.Cluster"},
	{"eds", endpointsURL},
}

const endpointsURL = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"

func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	n := len(payload)
	out := make([]byte, 0, 9+n)
	out = append(out, byte(n>>16), byte(n>>8), byte(n), kind, flags)
	out = binary.BigEndian.AppendUint32(out, stream)
	return append(out, payload...)
}

func number(value uint32) []byte { return binary.BigEndian.AppendUint32(nil, value) }

// literal is a header field that enters no table, without Huffman coding; both parts are shorter than 127 bytes.
func literal(out []byte, name, value string) []byte {
	out = append(out, 0, byte(len(name)))
	out = append(out, name...)
	out = append(out, byte(len(value)))
	return append(out, value...)
}

// preface opens a connection.
func preface() []byte {
	settings := append([]byte{0, 2, 0, 0, 0, 0, 0, 4}, number(wideWindow)...)
	out := []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	out = append(out, frame(typeSettings, 0, 0, settings)...)
	return append(out, frame(typeWindow, 0, 0, number(wideWindow))...)
}

// opening is the HEADERS frame of a stream.
func opening(stream uint32, path string) []byte {
	block := []byte{0x83, 0x86} // :method POST, :scheme http
	for _, field := range [][2]string{
		{":path", path}, {":authority", "bench"}, {"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		block = literal(block, field[0], field[1])
	}
	return frame(typeHeaders, 4, stream, block)
}

// field is one length-delimited protobuf field.
func field(out []byte, tag int, value []byte) []byte {
	out = append(out, byte(tag<<3|2))
	out = binary.AppendUvarint(out, uint64(len(value)))
	return append(out, value...)
}

// whole is one integer protobuf field.
func whole(out []byte, tag int, value uint64) []byte {
	return binary.AppendUvarint(append(out, byte(tag<<3)), value)
}

// node introduces client i: a grpc-go in one of -cohorts zones.
func node(i int) []byte {
	out := field(nil, 1, []byte(strings.ReplaceAll(*nodeID, "{n}", strconv.Itoa(i))))
	if *nodeMetadata != "" {
		var metadata []byte // a google.protobuf.Struct of strings
		for _, each := range strings.Split(*nodeMetadata, ",") {
			key, value, _ := strings.Cut(each, "=")
			entry := field(field(nil, 1, []byte(key)), 2, field(nil, 3, []byte(value)))
			metadata = field(metadata, 1, entry)
		}
		out = field(out, 3, metadata)
	}
	if *cohorts > 0 {
		place := field(nil, 1, []byte("region"))
		out = field(out, 4, field(place, 2, []byte(fmt.Sprintf("zone-%d", i%*cohorts))))
	}
	return field(field(out, 6, []byte("gRPC Go")), 7, []byte("1.85.0"))
}

// pattern is how the names of a type are made of a service's number.
func pattern(word string) string {
	for _, each := range strings.Split(*resources, ",") {
		kind, named, byType := strings.Cut(each, "=")
		if !byType {
			return each
		}
		if kind == word {
			return named
		}
	}
	panic("-resources lacks " + word)
}

// allNames are, for each group of streams and each type, the resource names asked for, as field 3 of a DiscoveryRequest.
func allNames() (all [][][]byte) {
	for group := range max(1, *of) {
		var byKind [][]byte
		for _, kind := range kinds {
			var out []byte
			for i := range *services {
				number := strconv.Itoa((group + i) % max(*services, *of))
				out = field(out, 3, []byte(strings.ReplaceAll(pattern(kind.word), "{n}", number)))
			}
			byKind = append(byKind, out)
		}
		all = append(all, byKind)
	}
	return all
}

// data is a message in a DATA frame.
func data(stream uint32, message []byte) []byte {
	body := append([]byte{0}, number(uint32(len(message)))...)
	return frame(typeData, 0, stream, append(body, message...))
}

// request is a DiscoveryRequest: a subscription, or with version and nonce an acknowledgement. nodeBytes may be nil.
func request(url, version, nonce, nodeBytes, named []byte) []byte {
	var message []byte
	if len(version) > 0 {
		message = field(message, 1, version)
	}
	if nodeBytes != nil {
		message = field(message, 2, nodeBytes)
	}
	message = append(message, named...)
	message = field(message, 4, url)
	if len(nonce) > 0 {
		message = field(message, 5, nonce)
	}
	return message
}

// report is a LoadStatsRequest with one locality for each of -localities endpoints; without clusters if seq is 0.
func report(nodeBytes []byte, i, seq int) []byte {
	var message []byte
	if nodeBytes != nil {
		message = field(message, 1, nodeBytes)
	}
	if seq == 0 {
		return message
	}
	stats := field(nil, 1, []byte("svc-0"))
	for k := range *localities {
		last := (i+k)%(*endpoints-1) + 1
		place := field(nil, 3, []byte(fmt.Sprintf("10.0.%d.%d:8080", last>>8, last&255)))
		load := whole(field(nil, 1, place), 2, uint64(100+i%50)) // ended well
		load = whole(whole(load, 3, uint64(i%20)), 4, uint64(seq%3))
		stats = field(stats, 2, whole(load, 8, uint64(100+i%50)))
	}
	return field(message, 2, field(stats, 4, whole(nil, 1, 1)))
}

// response finds version, type and nonce of a DiscoveryResponse (fields 1, 4 and 5); other fields are skipped.
func response(message []byte) (version, url, nonce []byte) {
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		message = message[n:]
		value, n := binary.Uvarint(message)
		message = message[n:]
		if tag&7 != 2 || uint64(len(message)) < value {
			return
		}
		switch tag >> 3 {
		case 1:
			version = message[:value]
		case 4:
			url = message[:value]
		case 5:
			nonce = message[:value]
		}
		message = message[value:]
	}
	return
}

// change reads the newest change a message carries: number k has an endpoint at 10.99.(k/256).(k%256); -1 for none.
func change(message []byte) int {
	newest := -1
	for {
		at := bytes.Index(message, []byte("10.99."))
		if at < 0 {
			return newest
		}
		message = message[at+6:]
		parts, which := [2]int{}, 0
		for _, c := range message {
			if c >= '0' && c <= '9' {
				parts[which] = parts[which]*10 + int(c-'0')
			} else if c == '.' && which == 0 {
				which = 1
			} else {
				break
			}
		}
		newest = max(newest, parts[0]<<8|parts[1])
	}
}
