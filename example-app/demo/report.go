package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
)

// A report is what a run found out.
type report struct {
	users   []user
	tokens  map[string]map[string]any // the claims of the tokens that were sent, by who sent them
	refused map[string]string         // what users were told whose sign-in was refused
	results []result
	changes []change
}

// A change is something that was changed after all calls were made, and what that changed.
type change struct {
	name          string // in the JSON
	title         string // for people
	before, after moment

	// claims are those that the token after it must have with another value than the token before it, no more and no less.
	claims map[string]any
}

// A moment is what was seen before or after a change.
type moment struct {
	value   string // of what was changed
	as      string // whose token it is about
	results []result
}

// newReport reads the tokens that were sent, of those who got theirs from Cognito.
func newReport(users []user, bearer, refused map[string]string, results []result, changes ...change) (*report, error) {
	r := &report{users: users, tokens: map[string]map[string]any{}, refused: refused, results: results, changes: changes}
	for name, token := range bearer {
		if name == tampered {
			continue
		}
		claims, err := claimsOf(token)
		if err != nil {
			return nil, fmt.Errorf("token of %s: %w", name, err)
		}
		r.tokens[name] = claims
	}
	return r, nil
}

// print shows the tokens, the table of who gets what, and what the changes change.
func (r *report) print(out io.Writer) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nWhat the access tokens carry besides Cognito's own claims:")
	fmt.Fprintln(table)
	for _, u := range r.users {
		if text, ok := r.refused[u.name]; ok {
			fmt.Fprintf(table, "  %s\tno token\t%s\n", u.name, text)
		}
		printClaims(table, u.name, customClaims(r.tokens[u.name]))
	}
	const header = "  \tAPI\tAS\tROUTE\tPATH\tSTATUS\tEXPECTED\tREASON\n"
	fmt.Fprint(table, "\nWho gets what:\n\n"+header)
	r.printResults(table, "", r.results)
	for _, c := range r.changes {
		fmt.Fprintf(table, "\n%s:\n\n", c.title)
		if changed := r.changedClaims(c); len(changed) > 0 {
			printClaims(table, c.after.as, changed)
			fmt.Fprintln(table)
		}
		fmt.Fprint(table, header)
		r.printResults(table, "before: ", c.before.results)
		r.printResults(table, "after: ", c.after.results)
	}
	fmt.Fprintf(table, "\n%s\n\n", differences)
	_ = table.Flush() // to a terminal or a pipe: a closed one ends the run by its signal
}

func printClaims(table io.Writer, name string, claims map[string]any) {
	for _, claim := range slices.Sorted(maps.Keys(claims)) {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", name, claim, compactJSON(claims[claim]))
		name = ""
	}
}

func (r *report) printResults(table io.Writer, when string, results []result) {
	for _, result := range results {
		mark := "ok"
		if r.resultProblem(result) != nil {
			mark = "NO"
		}
		fmt.Fprintf(table, "  %s%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\n", when, mark, result.api, result.as, result.route, result.path, result.status,
			result.want, result.reason)
	}
}

// A callEntry is a call in the JSON.
type callEntry struct {
	API      string `json:"api,omitempty"` // none: the HTTP API
	As       string `json:"as"`
	Method   string `json:"method"`
	Route    string `json:"route"`
	Path     string `json:"path"`
	Status   int    `json:"status"`
	Expected int    `json:"expected"`
	Reason   string `json:"reason"`
}

func entries(results []result) []callEntry {
	list := []callEntry{}
	for _, result := range results {
		entry := callEntry{As: result.as, Method: result.method(), Route: result.route,
			Path: result.path, Status: result.status, Expected: result.want, Reason: result.reason}
		if result.api != httpAPI {
			entry.API = string(result.api)
		}
		list = append(list, entry)
	}
	return list
}

// write puts the report into a file as JSON.
func (r *report) write(file string) error {
	type momentEntry struct {
		Value string         `json:"value"`
		Token map[string]any `json:"token"`
		Calls []callEntry    `json:"calls"`
	}
	type changeEntry struct {
		Before momentEntry `json:"before"`
		After  momentEntry `json:"after"`
	}
	document := struct {
		Tokens  map[string]map[string]any `json:"tokens"`
		Calls   []callEntry               `json:"calls"`
		Changes map[string]changeEntry    `json:"changes"`
	}{map[string]map[string]any{}, entries(r.results), map[string]changeEntry{}}
	for _, u := range r.users {
		if claims, ok := r.tokens[u.name]; ok {
			document.Tokens[u.name] = claims
		}
	}
	entry := func(m moment) momentEntry { return momentEntry{m.value, r.tokens[m.as], entries(m.results)} }
	for _, c := range r.changes {
		document.Changes[c.name] = changeEntry{entry(c.before), entry(c.after)}
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(document); err != nil {
		return err
	}
	return os.WriteFile(file, text.Bytes(), 0o644)
}

// err lists every answer that is not the expected one.
func (r *report) err() error {
	var errs []error
	for _, u := range r.users {
		errs = append(errs, r.userProblem(u))
	}
	for name, want := range idTokenClaims {
		if got := r.tokens[idToken][name]; got != want {
			errs = append(errs, fmt.Errorf("the owner's ID token has %s %v, and must have %v", name, got, want))
		}
	}
	for _, result := range r.results {
		errs = append(errs, r.resultProblem(result))
	}
	for _, c := range r.changes {
		if got := r.changedClaims(c); !maps.Equal(got, c.claims) {
			errs = append(errs, fmt.Errorf("the token of %s differs from that of %s in\n    %s\n  and must differ in\n    %s",
				c.after.as, c.before.as, compactJSON(got), compactJSON(c.claims)))
		}
		for _, result := range c.after.results {
			errs = append(errs, r.resultProblem(result))
		}
	}
	return errors.Join(errs...)
}

// changedClaims are the claims of the token after the change that the token before it had not, or not so.
func (r *report) changedClaims(c change) map[string]any {
	before, after := customClaims(r.tokens[c.before.as]), customClaims(r.tokens[c.after.as])
	changed := map[string]any{}
	for name := range joined(before, after) {
		if !reflect.DeepEqual(before[name], after[name]) {
			changed[name] = after[name]
		}
	}
	return changed
}

func (r *report) userProblem(u user) error {
	claims, signedIn := r.tokens[u.name]
	switch {
	case signedIn && u.refusal != "":
		return fmt.Errorf("%s could sign in, and must not", u.name)
	case !signedIn && !strings.Contains(r.refused[u.name], u.refusal):
		return fmt.Errorf("%s was refused with %q, want a text that says %q", u.name, r.refused[u.name], u.refusal)
	case signedIn && !reflect.DeepEqual(customClaims(claims), u.claims):
		return fmt.Errorf("the access token of %s carries\n    %s\n  and must carry\n    %s", u.name,
			compactJSON(customClaims(claims)), compactJSON(u.claims))
	}
	return nil
}

func (r *report) resultProblem(got result) error {
	what := fmt.Sprintf("%s %s of the %s API as %s", got.method(), got.path, got.api, got.as)
	if got.status != got.want {
		return fmt.Errorf("%s got status %d, want %d", what, got.status, got.want)
	}
	if !strings.Contains(got.reason, got.because) {
		return fmt.Errorf("%s got the reason %q, want one that says %q", what, got.reason, got.because)
	}
	if got.status != 200 || got.route == health {
		return nil
	}
	// The backend answers with the claims that it saw: they must be those of the token.
	var answer struct{ Claims map[string]any }
	if err := json.Unmarshal(got.body, &answer); err != nil {
		return fmt.Errorf("%s got an answer that is not JSON: %w", what, err)
	}
	for _, claim := range []string{"company_id", "tier"} {
		if saw, want := answer.Claims[claim], r.tokens[got.as][claim]; saw != want {
			return fmt.Errorf("%s reached a backend that saw %s %v, the token says %v", what, claim, saw, want)
		}
	}
	return nil
}

func compactJSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
