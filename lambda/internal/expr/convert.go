package expr

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

func toBool(v any) (any, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case string:
		return converted(strconv.ParseBool(v))
	}
	return nil, NoSuchOverload
}

func toBytes(v any) (any, error) {
	switch v := v.(type) {
	case []byte:
		return v, nil
	case string:
		return []byte(v), nil
	}
	return nil, NoSuchOverload
}

func toDouble(v any) (any, error) {
	switch v := v.(type) {
	case float64:
		return v, nil
	case int64:
		return float64(v), nil
	case uint64:
		return float64(v), nil
	case string:
		return converted(strconv.ParseFloat(v, 64))
	}
	return nil, NoSuchOverload
}

func toInt(v any) (any, error) {
	switch v := v.(type) {
	case int64:
		return v, nil
	case uint64:
		if v > math.MaxInt64 {
			return nil, Overflow
		}
		return int64(v), nil
	case float64:
		return floatToInt(v)
	case string:
		return converted(strconv.ParseInt(v, 10, 64))
	case time.Time:
		return v.Unix(), nil
	case time.Duration:
		return int64(v), nil
	}
	return nil, NoSuchOverload
}

func toUint(v any) (any, error) {
	switch v := v.(type) {
	case uint64:
		return v, nil
	case int64:
		if v < 0 {
			return nil, Overflow
		}
		return uint64(v), nil
	case float64:
		return floatToUint(v)
	case string:
		return converted(strconv.ParseUint(v, 10, 64))
	}
	return nil, NoSuchOverload
}

func toString(v any) (any, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case uint64:
		return strconv.FormatUint(v, 10), nil
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	case []byte:
		if !utf8.Valid(v) {
			return nil, NotConverted
		}
		return string(v), nil
	case time.Duration:
		return string(appendDuration(nil, v)), nil
	case time.Time:
		return v.Format(time.RFC3339Nano), nil // in the zone that it was written in
	}
	return nil, NoSuchOverload
}

func toDuration(v any) (any, error) {
	switch v := v.(type) {
	case time.Duration:
		return v, nil
	case string:
		return converted(time.ParseDuration(v))
	}
	return nil, NoSuchOverload
}

func toTimestamp(v any) (any, error) {
	switch v := v.(type) {
	case time.Time:
		return v, nil
	case int64:
		return inRange(time.Unix(v, 0).UTC())
	case string:
		return parseTimestamp(v)
	}
	return nil, NoSuchOverload
}

// converted drops the value that an error of the standard library quotes.
func converted[T any](v T, err error) (any, error) {
	if err != nil {
		return nil, NotConverted
	}
	return v, nil
}

func size(v any) (any, error) {
	switch v := v.(type) {
	case string:
		return int64(utf8.RuneCountInString(v)), nil
	case []byte:
		return int64(len(v)), nil
	}
	if l, ok := listOf(v); ok {
		return int64(l.size()), nil
	}
	if n, ok := mapSize(v); ok {
		return int64(n), nil
	}
	return nil, NoSuchOverload
}

func (o *Optional) get() (any, error) {
	if !o.present {
		return nil, NoValue
	}
	return o.value, nil
}

func ofNonZeroValue(v any) (any, error) {
	zero := false
	switch v := v.(type) {
	case nil:
		zero = true
	case bool:
		zero = !v
	case int64:
		zero = v == 0
	case uint64:
		zero = v == 0
	case float64:
		zero = v == 0
	case time.Duration:
		zero = v == 0
	case time.Time:
		zero = v.IsZero()
	default:
		n, err := size(v)
		zero = err == nil && n == int64(0)
	}
	if zero {
		return none, nil
	}
	return some(v), nil
}
