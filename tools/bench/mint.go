package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-lambda-go/events"

	"github.com/claimsmith/claimsmith/lambda/policy"
	"github.com/claimsmith/claimsmith/lambda/pretoken"
)

// mint is the claim function from the bytes of an event to those of an answer, the log line included.
func mint(p *policy.Compiled) func(event []byte) ([]byte, error) {
	handler := &pretoken.Handler{Program: &p.Program, Logger: silent()}
	return func(event []byte) ([]byte, error) { return handler.Invoke(context.Background(), event) }
}

// byHand is what one writes without Claimsmith: AWS's types for the event, and two claims out of ten.
func byHand(event []byte) ([]byte, error) {
	var e events.CognitoEventUserPoolsPreTokenGenV2_0
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, err
	}
	e.Response.ClaimsAndScopeOverrideDetails.AccessTokenGeneration.ClaimsToAddOrOverride = map[string]any{
		"company_id": e.Request.UserAttributes["custom:company_id"], "country_id": "uk",
	}
	return json.Marshal(e)
}

// minting measures what it costs to answer the trigger of a sign-in.
func minting(_ context.Context, w *world) (section, error) {
	const own, hand = "Claimsmith, ten claims", "two claims by hand with aws-lambda-go's types"
	claims, err := w.minted()
	if err != nil {
		return section{}, err
	}
	if len(claims) != 10 {
		return section{}, fmt.Errorf("the policy mints %d claims instead of ten", len(claims))
	}
	answering := mint(w.compiled)
	r, err := compete(w.rounds,
		does(jsonFloor, func(int) error { return roundTrip(w.signIn) }),
		does(own, func(int) error { _, err := answering(w.signIn); return err }),
		does(hand, func(int) error { _, err := byHand(w.signIn); return err }),
	)
	if err != nil {
		return section{}, err
	}
	s := section{
		title: "Minting claims at sign-in",
		text: fmt.Sprintf("From the bytes of the trigger's event (%d) to those of the answer. Claimsmith's is the whole answer of the claim "+
			"function with the policy of this benchmark: ten claims, two scopes added and one taken away, and the log line.", len(w.signIn)),
		short:   fmt.Sprintf("Minting ten claims takes %s; decoding and encoding the event alone, %s.", microseconds(r.median(own, nanoseconds)), microseconds(r.median(jsonFloor, nanoseconds))),
		header:  []string{"", "median", "× JSON", "allocations"},
		targets: []target{atMost("minting ten claims", r.median(own, nanoseconds)/1000, 20, "%.1f µs")},
	}
	for _, name := range []string{jsonFloor, own, hand} {
		s.rows = append(s.rows, []string{name, microseconds(r.median(name, nanoseconds)), fmt.Sprintf("%.2f", r.ratio(name, jsonFloor, nanoseconds)), count(r[name][allocations])})
	}
	return s, nil
}
