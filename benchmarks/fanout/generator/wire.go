package main

import (
	"bytes"
	"encoding/binary"
)

// What the generator speaks of HTTP/2, gRPC and xDS. Windows are opened so far at the start that nobody has to think of
// them again; everything here is for one stream on one connection.

const (
	typeData, typeHeaders, typeReset, typeSettings, typePing, typeGoaway = 0, 1, 3, 4, 6, 7
	streamID                                                             = 1
	wideWindow                                                           = 1 << 30
	adsPath                                                              = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
	endpointsURL                                                         = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
)

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

// greeting opens the connection and the stream, and subscribes.
func greeting(node, resource string) []byte {
	settings := append([]byte{0, 2, 0, 0, 0, 0, 0, 4}, number(wideWindow)...)
	block := []byte{0x83, 0x86} // :method POST, :scheme http
	for _, field := range [][2]string{
		{":path", adsPath}, {":authority", "bench"}, {"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		block = literal(block, field[0], field[1])
	}
	out := []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	out = append(out, frame(typeSettings, 0, 0, settings)...)
	out = append(out, frame(8, 0, 0, number(wideWindow))...)
	out = append(out, frame(typeHeaders, 4, streamID, block)...)
	return append(out, request(nil, nil, node, resource)...)
}

// field is one length-delimited protobuf field.
func field(out []byte, tag int, value []byte) []byte {
	out = append(out, byte(tag<<3|2))
	out = binary.AppendUvarint(out, uint64(len(value)))
	return append(out, value...)
}

// request is a DiscoveryRequest as a DATA frame: a subscription, or with version and nonce an acknowledgement.
func request(version, nonce []byte, node, resource string) []byte {
	var message []byte
	if len(version) > 0 {
		message = field(message, 1, version)
	}
	if node != "" {
		message = field(message, 2, field(nil, 1, []byte(node)))
	}
	message = field(message, 3, []byte(resource))
	message = field(message, 4, []byte(endpointsURL))
	if len(nonce) > 0 {
		message = field(message, 5, nonce)
	}
	body := append([]byte{0}, number(uint32(len(message)))...)
	return frame(typeData, 0, streamID, append(body, message...))
}

// response finds version and nonce of a DiscoveryResponse (fields 1 and 5); other fields are skipped.
func response(message []byte) (version, nonce []byte) {
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
		case 5:
			nonce = message[:value]
		}
		message = message[value:]
	}
	return
}

// change reads which change a message carries: number k has an endpoint at 10.99.(k/256).(k%256).
func change(message []byte) int {
	at := bytes.Index(message, []byte("10.99."))
	if at < 0 {
		return -1
	}
	parts, which := [2]int{}, 0
	for _, c := range message[at+6:] {
		if c >= '0' && c <= '9' {
			parts[which] = parts[which]*10 + int(c-'0')
		} else if c == '.' && which == 0 {
			which = 1
		} else {
			break
		}
	}
	return parts[0]<<8 | parts[1]
}
