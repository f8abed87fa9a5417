package expr

import (
	"strconv"
	"strings"
	"time"
)

// inRange is the time if it is of the years 1 to 9999, which are all that a timestamp can be of.
func inRange(t time.Time) (any, error) {
	const first, last = -62135596800, 253402300799
	if seconds := t.Unix(); seconds < first || seconds > last {
		return nil, NotConverted
	}
	return t, nil
}

// parseTimestamp reads what RFC 3339 defines. time.Parse alone takes more than that.
func parseTimestamp(s string) (any, error) {
	const layout = "0000-00-00T00:00:00"
	if len(s) <= len(layout) || !looksLike(s[:len(layout)], layout) {
		return nil, NotConverted
	}
	zone := s[len(layout):]
	if zone[0] == '.' {
		fraction := len(zone) - len(strings.TrimLeft(zone[1:], "0123456789"))
		if fraction == 1 {
			return nil, NotConverted
		}
		zone = zone[fraction:]
	}
	if zone != "Z" {
		if len(zone) != 6 || zone[0] != '+' && zone[0] != '-' || !looksLike(zone[1:], "00:00") || zone[1:3] > "23" || zone[4:6] > "59" {
			return nil, NotConverted
		}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return nil, NotConverted
	}
	return inRange(t)
}

// looksLike tells whether a text has digits where the layout has zeros and is the same elsewhere.
func looksLike(s, layout string) bool {
	for i := range len(layout) {
		isDigit := '0' <= s[i] && s[i] <= '9'
		if isDigit != (layout[i] == '0') || !isDigit && s[i] != layout[i] {
			return false
		}
	}
	return true
}

func addDurations(a, b time.Duration) (any, error) {
	sum, err := addInt(int64(a), int64(b))
	return time.Duration(sum), err
}

func subtractTimes(a, b time.Time) (any, error) {
	seconds, err := multiplyInt(a.Unix()-b.Unix(), int64(time.Second))
	if err != nil {
		return nil, err
	}
	return addDurations(time.Duration(seconds), time.Duration(a.Nanosecond()-b.Nanosecond()))
}

func appendDuration(b []byte, d time.Duration) []byte {
	return append(strconv.AppendFloat(b, d.Seconds(), 'f', -1, 64), 's')
}

// location is a time zone by its name or by its distance from UTC, such as "-08:00".
func location(name string) (*time.Location, error) {
	before, after, isOffset := strings.Cut(name, ":")
	if !isOffset {
		return time.LoadLocation(name)
	}
	hours, err := strconv.Atoi(before)
	if err != nil || hours < -23 || hours > 23 {
		return nil, NotConverted
	}
	minutes, err := strconv.Atoi(after)
	if err != nil || minutes < 0 || minutes > 59 {
		return nil, NotConverted
	}
	if before[0] == '-' {
		minutes = -minutes
	}
	return time.FixedZone("", (hours*60+minutes)*60), nil
}

// timePart is a function that takes a part of a timestamp, in a time zone or in UTC, or of a duration.
func timePart(name string) func(v any, zone *time.Location) (any, error) {
	var ofTime func(time.Time) int
	var ofDuration func(time.Duration) int64
	switch name {
	case "getFullYear":
		ofTime = time.Time.Year
	case "getMonth":
		ofTime = func(t time.Time) int { return int(t.Month()) - 1 }
	case "getDayOfYear":
		ofTime = func(t time.Time) int { return t.YearDay() - 1 }
	case "getDayOfMonth":
		ofTime = func(t time.Time) int { return t.Day() - 1 }
	case "getDate":
		ofTime = time.Time.Day
	case "getDayOfWeek":
		ofTime = func(t time.Time) int { return int(t.Weekday()) }
	case "getHours":
		ofTime, ofDuration = time.Time.Hour, func(d time.Duration) int64 { return int64(d.Hours()) }
	case "getMinutes":
		ofTime, ofDuration = time.Time.Minute, func(d time.Duration) int64 { return int64(d.Minutes()) }
	case "getSeconds":
		ofTime, ofDuration = time.Time.Second, func(d time.Duration) int64 { return int64(d.Seconds()) }
	case "getMilliseconds":
		ofTime, ofDuration = func(t time.Time) int { return t.Nanosecond() / 1e6 }, time.Duration.Milliseconds
	default:
		return nil
	}
	return func(v any, zone *time.Location) (any, error) {
		switch v := v.(type) {
		case time.Time:
			if zone == nil {
				zone = time.UTC
			}
			return int64(ofTime(v.In(zone))), nil
		case time.Duration:
			if ofDuration != nil {
				return ofDuration(v), nil
			}
		}
		return nil, NoSuchOverload
	}
}
