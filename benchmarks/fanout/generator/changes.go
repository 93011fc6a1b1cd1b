package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// unchanged is the address that a PUT's body has for the endpoint that changes.
const unchanged = "10.99.0.0"

// changer returns what makes the next changes, up to a number, and when that was answered.
func changer() func(number int) time.Time {
	if *putFile != "" {
		return putter()
	}
	url := fmt.Sprintf("%s?changes=%d&within=%f", *trigger, *burst, within.Seconds())
	return func(int) time.Time {
		wanted, err := http.NewRequest(http.MethodPost, url, nil)
		return ask(http.DefaultClient, wanted, err)
	}
}

// putter makes each change by a PUT of an API object, on a connection that stays.
func putter() func(number int) time.Time {
	var object struct {
		URL, Token, CA string
		Body           json.RawMessage
	}
	text, err := os.ReadFile(*putFile)
	if err == nil {
		err = json.Unmarshal(text, &object)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generator: -put:", err)
		os.Exit(1)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM([]byte(object.CA))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}}
	return func(number int) time.Time {
		address := fmt.Sprintf("10.99.%d.%d", number>>8, number&255)
		body := strings.NewReader(strings.ReplaceAll(string(object.Body), unchanged, address))
		wanted, err := http.NewRequest(http.MethodPut, object.URL, body)
		if err == nil {
			wanted.Header.Set("Authorization", "Bearer "+object.Token)
			wanted.Header.Set("Content-Type", "application/json")
		}
		return ask(client, wanted, err)
	}
}

// ask sends a request and returns when it was answered; what goes wrong is a failure.
func ask(client *http.Client, wanted *http.Request, err error) time.Time {
	var answer *http.Response
	if err == nil {
		answer, err = client.Do(wanted)
	}
	if err != nil {
		fail("a change: " + err.Error())
		return time.Now()
	}
	defer answer.Body.Close()
	said, _ := io.ReadAll(answer.Body)
	at := time.Now()
	if answer.StatusCode/100 != 2 {
		fail("a change: " + answer.Status + " " + string(said))
	}
	return at
}
