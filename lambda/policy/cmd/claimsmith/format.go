package main

import (
	"fmt"
	"html/template"
	"regexp"
	"strings"
)

// width is where text for a terminal is wrapped.
const width = 100

func (l line) plain() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.Text)
	}
	return b.String()
}

// wrap breaks text at blanks. The first line begins with first, the others with next.
func wrap(first, next, text string) string {
	var b strings.Builder
	at := first
	for _, word := range strings.Fields(text) {
		if len(at)+1+len(word) > width && at != first && at != next {
			b.WriteString(strings.TrimRight(at, " ") + "\n")
			at = next
		}
		if !strings.HasSuffix(at, " ") && at != "" {
			at += " "
		}
		at += word
	}
	return b.String() + at + "\n"
}

func (p page) text() string {
	var b strings.Builder
	b.WriteString(p.Title + "\n" + p.Intro.plain() + "\n")
	for _, s := range p.Sections {
		fmt.Fprintf(&b, "\n%s\n%s\n", s.Title, strings.Repeat("-", len(s.Title)))
		for _, n := range s.Notes {
			b.WriteString(wrap("", "", n.plain()))
		}
		for i, e := range s.Entries {
			if (i > 0 || len(s.Notes) > 0) && e.Depth == 0 {
				b.WriteString("\n")
			}
			indent := strings.Repeat("    ", e.Depth)
			b.WriteString(wrap(indent, indent+"    ", e.Title.plain()))
			for _, f := range e.Facts {
				label := "- "
				if f.Label != "" {
					label = fmt.Sprintf("%-9s", f.Label)
				}
				b.WriteString(wrap(indent+"    "+label, indent+"    "+strings.Repeat(" ", len(label)), f.Value.plain()))
			}
		}
	}
	return b.String()
}

var special = regexp.MustCompile("[\\\\`*_{}\\[\\]<>#|~]")

// markdown puts code into as many backticks as it takes.
func (l line) markdown() string {
	var b strings.Builder
	for _, s := range l {
		if !s.Code {
			b.WriteString(special.ReplaceAllString(s.Text, `\$0`))
			continue
		}
		fence := "`"
		for strings.Contains(s.Text, fence) {
			fence += "`"
		}
		if len(fence) > 1 {
			b.WriteString(fence + " " + s.Text + " " + fence)
		} else {
			b.WriteString(fence + s.Text + fence)
		}
	}
	return b.String()
}

func (p page) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n", line{{p.Title, false}}.markdown(), p.Intro.markdown())
	for _, s := range p.Sections {
		fmt.Fprintf(&b, "\n## %s\n\n", s.Title)
		for _, n := range s.Notes {
			b.WriteString(n.markdown() + "\n\n")
		}
		for _, e := range s.Entries {
			indent := strings.Repeat("  ", e.Depth)
			fmt.Fprintf(&b, "%s- %s\n", indent, e.Title.markdown())
			for _, f := range e.Facts {
				label := ""
				if f.Label != "" {
					label = f.Label + ": "
				}
				fmt.Fprintf(&b, "%s  - %s%s\n", indent, label, f.Value.markdown())
			}
		}
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

var document = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{.Title}}</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }
  h2 { border-bottom: 1px solid #8886; margin-top: 2.5rem }
  h3 { font-size: 1rem; margin: 1.2rem 0 .2rem }
  code { font: .9em ui-monospace, monospace; background: #8882; padding: .1em .3em; border-radius: .2em }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0 0 0 1.5rem }
  dt { opacity: .7 } dd { margin: 0 }
  ul { margin: 0 0 0 1.5rem; padding-left: 1rem }
  .in { margin-left: 2rem; border-left: 2px solid #8884; padding-left: 1rem }
</style>
{{define "line"}}{{range .}}{{if .Code}}<code>{{.Text}}</code>{{else}}{{.Text}}{{end}}{{end}}{{end -}}
<h1>{{.Title}}</h1>
<p>{{template "line" .Intro}}</p>
{{range .Sections -}}
<h2>{{.Title}}</h2>
{{range .Notes}}<p>{{template "line" .}}</p>
{{end}}{{range .Entries}}{{range .Indent}}<div class="in">{{end}}<h3>{{template "line" .Title}}</h3>
{{with .Labelled}}<dl>
{{range .}}<dt>{{.Label}}</dt><dd>{{template "line" .Value}}</dd>
{{end}}</dl>
{{end}}{{with .Listed}}<ul>
{{range .}}<li>{{template "line" .Value}}</li>
{{end}}</ul>
{{end}}{{range .Indent}}</div>{{end}}
{{end}}{{end -}}
</html>
`))

// Indent has an element for each level.
func (e entry) Indent() []struct{} { return make([]struct{}, e.Depth) }

// Labelled and Listed are the facts with and without a label.
func (e entry) Labelled() []fact { return e.facts(true) }
func (e entry) Listed() []fact   { return e.facts(false) }

func (e entry) facts(labelled bool) []fact {
	var out []fact
	for _, f := range e.Facts {
		if (f.Label != "") == labelled {
			out = append(out, f)
		}
	}
	return out
}

func (p page) html() string {
	var b strings.Builder
	if err := document.Execute(&b, p); err != nil {
		panic("internal error: the page's template: " + err.Error())
	}
	return b.String()
}
