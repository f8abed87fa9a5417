package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/claimsmith/claimsmith/lambda/policy"
)

func (t *tool) explain() func([]string) error {
	format := t.flags.String("format", "text", "text, markdown, html or json")
	return func(files []string) error {
		if t.json {
			*format = "json"
		}
		formats := []string{"text", "markdown", "html", "json"}
		if !slices.Contains(formats, *format) {
			return usageError{fmt.Errorf("--format is %q%s; allowed are %s", *format, policy.DidYouMean(*format, formats), strings.Join(formats, ", "))}
		}
		file, program, err := t.program(files[0])
		if err != nil {
			return err
		}
		x, warnings := program.Explain(), program.Warnings()
		switch *format {
		case "json":
			t.writeJSON(struct {
				File string `json:"file"`
				policy.Explanation
				Warnings []problem `json:"warnings"`
			}{file, x, problems(warnings)})
		case "markdown":
			fmt.Fprint(t.stdout, explain(file, x, warnings).markdown())
		case "html":
			fmt.Fprint(t.stdout, explain(file, x, warnings).html())
		default:
			fmt.Fprint(t.stdout, explain(file, x, warnings).text())
		}
		return nil
	}
}

// page is an explanation as text, before it has a format.
type page struct {
	Title    string
	Intro    line
	Sections []section
}

type section struct {
	Title   string
	Notes   []line // before the entries
	Entries []entry
}

// entry is something with a name and what there is to say about it.
type entry struct {
	Title line
	Depth int
	Facts []fact
}

// fact is one thing to say. Without a label it is an item of a list.
type fact struct {
	Label string
	Value line
}

// line is words and code.
type line []span

type span struct {
	Text string
	Code bool
}

// say makes a line of words and code in turn, beginning with words. Empty parts are left out.
func say(parts ...string) line {
	var out line
	for i, part := range parts {
		if i%2 == 1 {
			part = strings.Join(strings.Fields(part), " ") // an expression of several lines
		}
		if part != "" {
			out = append(out, span{part, i%2 == 1})
		}
	}
	return out
}

// codes is several pieces of code, with commas.
func codes(words []string) line {
	var out line
	for i, word := range words {
		if i > 0 {
			out = append(out, span{", ", false})
		}
		out = append(out, span{word, true})
	}
	return out
}

func explain(file string, x policy.Explanation, warnings []policy.Problem) page {
	p := page{Title: file, Intro: say(fmt.Sprintf("%s, %s, %s.",
		count(len(x.Claims), "claim"), count(len(x.Authorizers), "authorizer"), count(len(warnings), "warning")))}
	if len(warnings) > 0 {
		s := section{Title: "Warnings"}
		for _, w := range warnings {
			s.Entries = append(s.Entries, entry{
				Title: say("", cmp.Or(w.Path, file), fmt.Sprintf(" in line %d (%s)", w.Line, w.ID)),
				Facts: []fact{{Value: say(w.Message)}},
			})
		}
		p.Sections = append(p.Sections, s)
	}
	if len(x.Lookups) > 0 {
		p.Sections = append(p.Sections, lookups(x))
	}
	p.Sections = append(p.Sections, claims(x), otherTokens(x))
	for _, a := range x.Authorizers {
		p.Sections = append(p.Sections, authorizer(a))
	}
	return p
}

func claims(x policy.Explanation) section {
	s := section{Title: "Claims"}
	where := places(x.Authorizers)
	var add func(c policy.ExplainedClaim, depth int)
	add = func(c policy.ExplainedClaim, depth int) {
		kind := c.Type
		if c.Claims != nil {
			kind = "object" // its fields follow
		}
		s.Entries = append(s.Entries, entry{Title: say("", c.Name, ": ", kind), Depth: depth, Facts: claimFacts(c, depth, where)})
		for _, n := range c.Claims {
			add(n, depth+1)
		}
	}
	for _, c := range x.Claims {
		add(c, 0)
	}
	if len(x.Claims) == 0 {
		s.Notes = append(s.Notes, say("The policy mints no claims."))
	}
	if len(x.Unread) > 0 {
		s.Notes = append(s.Notes, append(say("No rule reads "), append(codes(x.Unread), span{". Backends may read them all the same.", false})...))
	}
	return s
}

func lookups(x policy.Explanation) section {
	s := section{Title: "Lookups"}
	for _, l := range x.Lookups {
		from := say("table ", l.Table)
		if l.Index != "" {
			from = say("index ", l.Index, " of table ", l.Table)
		}
		if l.Limit > 0 {
			from = append(from, span{fmt.Sprintf(", at most %s", count(l.Limit, "row")), false})
		}
		if l.Consistent {
			from = append(from, span{", consistent", false})
		}
		if l.CacheSeconds > 0 {
			from = append(from, span{fmt.Sprintf(", cached for %s", count(l.CacheSeconds, "second")), false})
		}
		facts := []fact{{"from", from}}
		for _, attribute := range slices.Sorted(maps.Keys(l.Key)) {
			facts = append(facts, fact{"key", say("", attribute, " is ", l.Key[attribute])})
		}
		if l.When != "" {
			facts = append(facts, fact{"when", say("", l.When)})
		}
		facts = append(facts, fact{"no row", instead(l.OnMissing)}, fact{"on error", instead(l.OnError)})
		s.Entries = append(s.Entries, entry{Title: say("", "lookup."+l.Name, ": ", l.Type), Facts: facts})
	}
	return s
}

// instead is what takes a row's place.
func instead(f policy.Fallback) line {
	switch {
	case f.Default != nil:
		return say("", literal(f.Default))
	case f.Action == policy.Omit:
		return say("it is absent")
	default:
		return say("no tokens are issued")
	}
}

// places are the rules' places for people, by path: "Documents: PUT /documents/{id}".
func places(authorizers []policy.ExplainedAuthorizer) map[string]string {
	out := map[string]string{}
	for _, a := range authorizers {
		for _, r := range a.Default {
			out[r.Path] = a.Name + ": every route"
		}
		for _, route := range a.Routes {
			for _, r := range route.Rules {
				out[r.Path] = a.Name + ": " + route.Route
			}
		}
	}
	return out
}

func claimFacts(c policy.ExplainedClaim, depth int, where map[string]string) []fact {
	facts := []fact{{"from", source(c)}, {"present", presence(c, depth)}}
	if depth == 0 {
		facts = append(facts, fact{"tokens", say(tokens(c.Tokens))})
	}
	if c.OnError == policy.Omit {
		facts = append(facts, fact{"on error", say("left out")})
	}
	var readers []string
	for _, path := range c.ReadBy {
		if !slices.Contains(readers, where[path]) {
			readers = append(readers, where[path])
		}
	}
	if len(readers) > 0 {
		facts = append(facts, fact{"read by", say(strings.Join(readers, ", "))})
	}
	return facts
}

// source says where a claim's value comes from.
func source(c policy.ExplainedClaim) line {
	switch {
	case c.Attribute != "" && c.As != policy.AsString:
		return say("attribute ", c.Attribute, ", read as "+string(c.As))
	case c.Attribute != "":
		return say("attribute ", c.Attribute)
	case c.Expr != "":
		return say("", c.Expr)
	case c.Code:
		return say("the function's own code")
	case c.Claims != nil:
		return say("its nested claims")
	default:
		return say("literal ", literal(c.Value))
	}
}

// literal is a value as JSON.
func literal(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("internal error: a literal does not encode: " + err.Error())
	}
	return b.String()
}

// presence says when a claim is in a token.
func presence(c policy.ExplainedClaim, depth int) line {
	var why string
	switch {
	case c.Required || !c.SourceOptional:
	case c.Attribute != "":
		why = "the user has the attribute"
	case c.Expr != "":
		why = "the expression yields a value"
	case c.Code:
		why = "the code sets it"
	default:
		why = "one of the nested claims is"
	}
	out := say("always")
	switch {
	case c.When != "" && why != "":
		out = say("when ", c.When, " and "+why)
	case c.When != "":
		out = say("when ", c.When)
	case why != "":
		out = say("when " + why)
	case depth > 0:
		out = say("whenever the claim around it is")
	}
	if c.Required {
		out = append(out, span{"; without a value no tokens are issued", false})
	}
	return out
}

func tokens(in []policy.Token) string {
	names := map[policy.Token]string{policy.AccessToken: "access", policy.IDToken: "ID"}
	var words []string
	for _, token := range in {
		words = append(words, names[token])
	}
	return strings.Join(words, " and ")
}

// otherTokens is what else the policy does to tokens, and what it knows.
func otherTokens(x policy.Explanation) section {
	s := section{Title: "Scopes, groups and attributes"}
	conditional := func(what, when string) fact {
		if when == "" {
			return fact{Value: say("", what)}
		}
		return fact{Value: say("", what, " when ", when)}
	}
	add := func(title string, facts []fact) {
		if len(facts) > 0 {
			s.Entries = append(s.Entries, entry{Title: say(title), Facts: facts})
		}
	}
	scopes := func(in []policy.Scope) (facts []fact) {
		for _, scope := range in {
			facts = append(facts, conditional(scope.Scope, scope.When))
		}
		return facts
	}
	add("Scopes added", scopes(x.Scopes.Add))
	add("Scopes suppressed", scopes(x.Scopes.Suppress))
	var suppressed []fact
	for _, c := range x.Suppress {
		f := conditional(c.Claim, c.When)
		f.Value = append(f.Value, span{" (" + tokens(c.Tokens) + " token)", false})
		suppressed = append(suppressed, f)
	}
	add("Claims suppressed", suppressed)
	if x.Groups.Expr == "" {
		s.Notes = append(s.Notes, say("The user's groups stay as they are."))
	} else {
		add("Groups", []fact{conditional(x.Groups.Expr, x.Groups.When)})
	}
	var scopesOf []fact
	for _, identifier := range slices.Sorted(maps.Keys(x.ResourceServers)) {
		for _, name := range slices.Sorted(maps.Keys(x.ResourceServers[identifier])) {
			scopesOf = append(scopesOf, fact{Value: say("", identifier+"/"+name, ": "+x.ResourceServers[identifier][name])})
		}
	}
	add("Scopes of resource servers", scopesOf)
	if len(x.Attributes) > 0 {
		add("User attributes that are read", items(x.Attributes))
	} else {
		s.Notes = append(s.Notes, say("No user attribute is read by name."))
	}
	if len(x.Params) > 0 {
		add("Params, given at deployment", items(x.Params))
	}
	s.Notes = append(s.Notes, say(fmt.Sprintf("An access token has at most %d bytes.", x.TokenBudget)))
	return s
}

func items(words []string) []fact {
	var facts []fact
	for _, word := range words {
		facts = append(facts, fact{Value: say("", word)})
	}
	return facts
}

func authorizer(a policy.ExplainedAuthorizer) section {
	s := section{Title: "Authorizer " + a.Name}
	if len(a.Default) == 0 {
		s.Notes = append(s.Notes, say("A route that is not listed here is refused."))
	} else {
		s.Entries = append(s.Entries, entry{Title: say("Every route"), Facts: rules(a.Default)})
	}
	for _, r := range a.Routes {
		s.Entries = append(s.Entries, entry{Title: say("", r.Route), Facts: rules(r.Rules)})
	}
	if a.Cacheable {
		words := "the token"
		for i, what := range a.DependsOn {
			if i == len(a.DependsOn)-1 {
				words += " and the " + what
			} else {
				words += ", the " + what
			}
		}
		s.Notes = append(s.Notes, say("A decision depends on "+words+": API Gateway may cache it for requests with the same."))
	} else {
		s.Notes = append(s.Notes, say("Decisions must not be cached, since no cache can be keyed on all that they depend on: "+strings.Join(a.Uncacheable, "; ")+"."))
	}
	if until := a.IDTokens.Until; until != "" {
		where := say("ID tokens are accepted too, until " + until + ".")
		if routes := a.IDTokens.Routes; routes != nil {
			where = append(append(say("ID tokens are accepted too, until "+until+", on "), codes(routes)...), span{".", false})
		}
		s.Notes = append(s.Notes, where)
	}
	if len(a.Context) > 0 {
		s.Notes = append(s.Notes, append(say("The backend gets "), append(codes(a.Context), span{".", false})...))
	}
	return s
}

// rules says what must hold, and what is logged when it does not.
func rules(in []policy.ExplainedRule) []fact {
	var facts []fact
	for _, r := range in {
		rule := strings.Join(strings.Fields(r.Rule), " ")
		if rule == r.Message {
			facts = append(facts, fact{Value: say("", rule)})
		} else {
			facts = append(facts, fact{Value: say("", rule, ", or else: "+r.Message)})
		}
	}
	return facts
}
