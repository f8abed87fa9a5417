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
	tokens  map[string]map[string]any // the claims of the access tokens, by user
	refused map[string]string         // what users were told whose sign-in was refused
	results []result
}

func newReport(users []user, signedIn map[string]tokens, refused map[string]string, results []result) (*report, error) {
	r := &report{users: users, tokens: map[string]map[string]any{}, refused: refused, results: results}
	for name, t := range signedIn {
		claims, err := claimsOf(t.Access)
		if err != nil {
			return nil, fmt.Errorf("access token of %s: %w", name, err)
		}
		r.tokens[name] = claims
	}
	return r, nil
}

// print shows the tokens and the table of who gets what.
func (r *report) print(out io.Writer) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nWhat the access tokens carry besides Cognito's own claims:")
	fmt.Fprintln(table)
	for _, u := range r.users {
		if text, ok := r.refused[u.name]; ok {
			fmt.Fprintf(table, "  %s\tno token\t%s\n", u.name, text)
		}
		name := u.name
		custom := customClaims(r.tokens[u.name])
		for _, claim := range slices.Sorted(maps.Keys(custom)) {
			fmt.Fprintf(table, "  %s\t%s\t%s\n", name, claim, compactJSON(custom[claim]))
			name = ""
		}
	}
	fmt.Fprint(table, "\nWho gets what:\n\n  \tAPI\tAS\tROUTE\tPATH\tSTATUS\tEXPECTED\tREASON\n")
	for _, result := range r.results {
		mark := "ok"
		if r.resultProblem(result) != nil {
			mark = "NO"
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\n", mark, result.api, result.as, result.route, result.path, result.status,
			result.want, result.reason)
	}
	fmt.Fprintf(table, "\n%s\n\n", differences)
	_ = table.Flush() // to a terminal or a pipe: a closed one ends the run by its signal
}

// write puts the report into a file as JSON.
func (r *report) write(file string) error {
	type call struct {
		API      string `json:"api,omitempty"` // none: the HTTP API
		As       string `json:"as"`
		Method   string `json:"method"`
		Route    string `json:"route"`
		Path     string `json:"path"`
		Status   int    `json:"status"`
		Expected int    `json:"expected"`
		Reason   string `json:"reason"`
	}
	document := struct {
		Tokens map[string]map[string]any `json:"tokens"`
		Calls  []call                    `json:"calls"`
	}{Tokens: r.tokens}
	for _, result := range r.results {
		entry := call{As: result.as, Method: result.method(), Route: result.route,
			Path: result.path, Status: result.status, Expected: result.want, Reason: result.reason}
		if result.api != httpAPI {
			entry.API = string(result.api)
		}
		document.Calls = append(document.Calls, entry)
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
	for _, result := range r.results {
		errs = append(errs, r.resultProblem(result))
	}
	return errors.Join(errs...)
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
	var answer struct {
		Claims struct {
			CompanyID any `json:"company_id"`
		} `json:"claims"`
	}
	if err := json.Unmarshal(got.body, &answer); err != nil {
		return fmt.Errorf("%s got an answer that is not JSON: %w", what, err)
	}
	if want := r.tokens[got.as]["company_id"]; answer.Claims.CompanyID != want {
		return fmt.Errorf("%s reached a backend that saw company_id %v, the token says %v", what, answer.Claims.CompanyID, want)
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
