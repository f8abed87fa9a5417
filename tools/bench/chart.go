package main

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// chart is a plot of bars or of lines.
type chart struct {
	file, title string
	unit        string // of the values
	bars        []bar

	along       string // what the lines grow with
	lines       []line
	logarithmic bool // both axes of the lines
}

type bar struct {
	name  string
	value float64
}

// line is how something grows.
type line struct {
	name string
	x, y []float64
}

func (c *chart) write(file string) error {
	p := plot.New()
	p.Title.Text = c.title
	p.BackgroundColor = color.White // also where the page around it is dark
	p.Title.Padding = 4 * vg.Millimeter
	height := 9 * vg.Centimeter
	var err error
	if c.bars != nil {
		height = vg.Length(len(c.bars)+2) * 0.8 * vg.Centimeter
		err = c.drawBars(p)
	} else {
		err = c.drawLines(p)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.file, err)
	}
	return p.Save(18*vg.Centimeter, height, file)
}

// drawBars draws the first bar at the top.
func (c *chart) drawBars(p *plot.Plot) error {
	var values plotter.Values
	var names []string
	for i := range c.bars {
		b := c.bars[len(c.bars)-1-i]
		values, names = append(values, b.value), append(names, b.name)
	}
	bars, err := plotter.NewBarChart(values, 0.5*vg.Centimeter)
	if err != nil {
		return err
	}
	bars.Horizontal, bars.Color, bars.LineStyle.Width = true, plotutil.Color(2), 0
	p.Add(bars)
	p.NominalY(names...)
	p.X.Label.Text, p.X.Min = c.unit, 0
	return nil
}

func (c *chart) drawLines(p *plot.Plot) error {
	for i, l := range c.lines {
		points := make(plotter.XYs, len(l.x))
		for j := range l.x {
			points[j] = plotter.XY{X: l.x[j], Y: l.y[j]}
		}
		drawn, marks, err := plotter.NewLinePoints(points)
		if err != nil {
			return err
		}
		drawn.Color, marks.Color, marks.Shape = plotutil.Color(i), plotutil.Color(i), plotutil.Shape(i)
		p.Add(drawn, marks)
		p.Legend.Add(l.name, drawn, marks)
	}
	p.Add(plotter.NewGrid())
	p.Legend.Top, p.Legend.Left = true, true
	if c.logarithmic {
		p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
		p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
		p.Y.Max *= 30 // room for the legend
	} else {
		p.X.Min, p.Y.Min = 0, 0
		p.Y.Max *= 1.3
	}
	p.X.Label.Text, p.Y.Label.Text = c.along, c.unit
	return nil
}
