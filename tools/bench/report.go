package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// section is what one measurement has to say.
type section struct {
	title   string
	short   string // one sentence to quote, or none
	text    string
	header  []string
	rows    [][]string // may be shorter than the header
	chart   *chart     // or none
	targets []target
}

// target is what was aimed at. To miss one is no failure: it is said.
type target struct {
	name, limit, got string
	met              bool
}

func atMost(name string, value, limit float64, format string) target {
	return target{name, "≤ " + fmt.Sprintf(format, limit), fmt.Sprintf(format, value), value <= limit}
}

func atLeast(name string, value, limit float64, format string) target {
	return target{name, "≥ " + fmt.Sprintf(format, limit), fmt.Sprintf(format, value), value >= limit}
}

func (t target) verdict() string {
	if t.met {
		return "pass"
	}
	return "**miss**"
}

// report is everything that docs/performance.md says.
type report struct {
	rounds   int
	machine  [][]string
	sections []section
}

// print writes the report as Markdown. charts is where the plots are, as seen from the document; without it there are none.
func (r *report) print(out io.Writer, charts string) {
	fmt.Fprintf(out, "# Performance\n\n`make bench` measured what is here in one run and wrote this file; edit [tools/bench](../tools/bench) instead. "+
		"What is compared took turns, for %d rounds. Figures are the medians of the rounds, and a ratio is the median of theirs.\n\n", r.rounds)
	for _, s := range r.sections {
		if s.short != "" {
			fmt.Fprintf(out, "- %s\n", s.short)
		}
	}
	fmt.Fprint(out, "\n## Targets\n\n")
	table(out, []string{"target", "limit", "measured", ""}, r.targets())
	fmt.Fprint(out, "\n## The machine\n\n")
	table(out, []string{"", ""}, r.machine)
	for _, s := range r.sections {
		fmt.Fprintf(out, "\n## %s\n\n%s\n\n", s.title, s.text)
		if s.chart != nil && charts != "" {
			fmt.Fprintf(out, "![%s](%s)\n\n", s.chart.title, charts+"/"+s.chart.file)
		}
		table(out, s.header, s.rows)
	}
}

func (r *report) targets() (rows [][]string) {
	for _, s := range r.sections {
		for _, t := range s.targets {
			rows = append(rows, []string{t.name, t.limit, t.got, t.verdict()})
		}
	}
	return rows
}

// write writes the document and its plots.
func (r *report) write(document string) error {
	charts := strings.TrimSuffix(document, filepath.Ext(document))
	if err := os.MkdirAll(charts, 0o755); err != nil {
		return err
	}
	for _, s := range r.sections {
		if s.chart != nil {
			if err := s.chart.write(filepath.Join(charts, s.chart.file)); err != nil {
				return err
			}
		}
	}
	var text strings.Builder
	r.print(&text, filepath.Base(charts))
	return os.WriteFile(document, []byte(text.String()), 0o644)
}

// table writes a table that is one in a terminal too.
func table(out io.Writer, header []string, rows [][]string) {
	widths := make([]int, len(header))
	full := [][]string{header}
	for _, row := range rows {
		full = append(full, append(row, make([]string, len(header)-len(row))...))
	}
	for _, row := range full {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 3)
		}
	}
	for n, row := range full {
		for i, cell := range row {
			fmt.Fprintf(out, "| %s%s ", cell, strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
		}
		fmt.Fprintln(out, "|")
		if n == 0 {
			for _, width := range widths {
				fmt.Fprintf(out, "| %s ", strings.Repeat("-", width))
			}
			fmt.Fprintln(out, "|")
		}
	}
}

// duration is for times of any length.
func duration(us float64) string {
	if us >= 1000 {
		return milliseconds(us / 1000)
	}
	return fmt.Sprintf("%.1f µs", us)
}

func microseconds(ns float64) string { return fmt.Sprintf("%.1f µs", ns/1000) }

func milliseconds(ms float64) string { return fmt.Sprintf("%.1f ms", ms) }

// fine is for times that are far below a millisecond.
func fine(ms float64) string { return fmt.Sprintf("%.3f ms", ms) }

// count is a whole number, or nothing if it was not measured.
func count(values []float64) string {
	if len(values) == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f", median(values))
}
