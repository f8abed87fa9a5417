package expr

import (
	"cmp"
	"math"
	"time"
)

func addInt(a, b int64) (int64, error) {
	if sum := a + b; (sum > a) == (b > 0) {
		return sum, nil
	}
	return 0, Overflow
}

func subtractInt(a, b int64) (int64, error) {
	if difference := a - b; (difference < a) == (b > 0) {
		return difference, nil
	}
	return 0, Overflow
}

func negateInt(a int64) (int64, error) { return subtractInt(0, a) }

func multiplyInt(a, b int64) (int64, error) {
	if a == 0 || b == 0 {
		return 0, nil
	}
	if product := a * b; product/b == a && (product < 0) == ((a < 0) != (b < 0)) {
		return product, nil
	}
	return 0, Overflow
}

func divideInt(a, b int64) (int64, error) {
	switch {
	case b == 0:
		return 0, DivisionByZero
	case a == math.MinInt64 && b == -1:
		return 0, Overflow
	}
	return a / b, nil
}

func moduloInt(a, b int64) (int64, error) {
	switch {
	case b == 0:
		return 0, ModulusByZero
	case a == math.MinInt64 && b == -1:
		return 0, Overflow
	}
	return a % b, nil
}

func addUint(a, b uint64) (uint64, error) {
	if a+b < a {
		return 0, Overflow
	}
	return a + b, nil
}

func subtractUint(a, b uint64) (uint64, error) {
	if b > a {
		return 0, Overflow
	}
	return a - b, nil
}

func multiplyUint(a, b uint64) (uint64, error) {
	if b != 0 && a > math.MaxUint64/b {
		return 0, Overflow
	}
	return a * b, nil
}

func divideUint(a, b uint64) (uint64, error) {
	if b == 0 {
		return 0, DivisionByZero
	}
	return a / b, nil
}

func moduloUint(a, b uint64) (uint64, error) {
	if b == 0 {
		return 0, ModulusByZero
	}
	return a % b, nil
}

func floatToInt(f float64) (int64, error) {
	if f > math.MinInt64 && f < math.MaxInt64 { // false for NaN
		return int64(f), nil
	}
	return 0, Overflow
}

func floatToUint(f float64) (uint64, error) {
	if f >= 0 && f < 1<<64 {
		return uint64(f), nil
	}
	return 0, Overflow
}

// arithmetic is an operator on two numbers of one type.
func arithmetic(a, b any, ints func(a, b int64) (int64, error), uints func(a, b uint64) (uint64, error), doubles func(a, b float64) float64) (any, error) {
	switch a := a.(type) {
	case int64:
		if b, ok := b.(int64); ok {
			return ints(a, b)
		}
	case uint64:
		if b, ok := b.(uint64); ok {
			return uints(a, b)
		}
	case float64:
		if b, ok := b.(float64); ok && doubles != nil {
			return doubles(a, b), nil
		}
	}
	return nil, NoSuchOverload
}

func add(a, b any) (any, error) {
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok {
			return a + b, nil
		}
	case []byte:
		if b, ok := b.([]byte); ok {
			return append(a[:len(a):len(a)], b...), nil
		}
	case []any, []string:
		l, _ := listOf(a)
		if r, ok := listOf(b); ok {
			return concatenate(l, r), nil
		}
	case time.Duration:
		switch b := b.(type) {
		case time.Duration:
			return addDurations(a, b)
		case time.Time:
			return inRange(b.Add(a))
		}
	case time.Time:
		if b, ok := b.(time.Duration); ok {
			return inRange(a.Add(b))
		}
	}
	return arithmetic(a, b, addInt, addUint, func(a, b float64) float64 { return a + b })
}

func subtract(a, b any) (any, error) {
	switch a := a.(type) {
	case time.Duration:
		if b, ok := b.(time.Duration); ok {
			difference, err := subtractInt(int64(a), int64(b))
			return time.Duration(difference), err
		}
	case time.Time:
		switch b := b.(type) {
		case time.Time:
			return subtractTimes(a, b)
		case time.Duration:
			negative, err := negateInt(int64(b))
			if err != nil {
				return nil, err
			}
			return inRange(a.Add(time.Duration(negative)))
		}
	}
	return arithmetic(a, b, subtractInt, subtractUint, func(a, b float64) float64 { return a - b })
}

func multiply(a, b any) (any, error) {
	return arithmetic(a, b, multiplyInt, multiplyUint, func(a, b float64) float64 { return a * b })
}

func divide(a, b any) (any, error) {
	return arithmetic(a, b, divideInt, divideUint, func(a, b float64) float64 { return a / b })
}

func modulo(a, b any) (any, error) { return arithmetic(a, b, moduloInt, moduloUint, nil) }

func negate(v any) (any, error) {
	switch v := v.(type) {
	case int64:
		return negateInt(v)
	case float64:
		return -v, nil
	case time.Duration:
		negative, err := negateInt(int64(v))
		return time.Duration(negative), err
	}
	return nil, NoSuchOverload
}

// ordering is one of <, <=, > and >=. NaN is neither less nor greater than anything.
func ordering(holds func(c int) bool) func(a, b any) (any, error) {
	return func(a, b any) (any, error) {
		if !isOrdered(a) {
			return nil, NoSuchOverload
		}
		if isNaN(a) || isNaN(b) {
			return false, nil
		}
		c, err := compare(a, b)
		if err != nil {
			return nil, err
		}
		return holds(c), nil
	}
}

func isNumber(v any) bool {
	switch v.(type) {
	case int64, uint64, float64:
		return true
	}
	return false
}

// extreme is math.greatest() and math.least() of one number or of a list of numbers. Of two that are equal it is the first.
func extreme(v any, direction int) (any, error) {
	if isNumber(v) {
		return v, nil
	}
	l, ok := listOf(v)
	switch {
	case !ok:
		return nil, NoSuchOverload
	case l.size() == 0:
		return nil, NotConverted
	case !isNumber(l.at(0)):
		return nil, NoSuchOverload
	}
	most := l.at(0)
	for i := 1; i < l.size(); i++ {
		c, ok := compareNumbers(l.at(i), most)
		if !ok {
			return nil, NoSuchOverload
		}
		if c == direction {
			most = l.at(i)
		}
	}
	return most, nil
}

func extremeOfTwo(a, b any, direction int) (any, error) {
	if !isNumber(a) || !isNumber(b) {
		return nil, NoSuchOverload
	}
	c, ok := compareNumbers(b, a)
	switch {
	case !ok:
		return nil, NotConverted // NaN
	case c == direction:
		return b, nil
	}
	return a, nil
}

func abs(v any) (any, error) {
	switch v := v.(type) {
	case int64:
		if v < 0 {
			return negateInt(v)
		}
		return v, nil
	case uint64:
		return v, nil
	case float64:
		return math.Abs(v), nil
	}
	return nil, NoSuchOverload
}

func sign(v any) (any, error) {
	switch v := v.(type) {
	case int64:
		return int64(cmp.Compare(v, 0)), nil
	case uint64:
		return min(v, 1), nil
	case float64:
		switch {
		case v > 0:
			return 1.0, nil
		case v < 0:
			return -1.0, nil
		case math.IsNaN(v):
			return v, nil
		}
		return 0.0, nil
	}
	return nil, NoSuchOverload
}

func sqrt(v any) (any, error) {
	switch v := v.(type) {
	case int64:
		return math.Sqrt(float64(v)), nil
	case uint64:
		return math.Sqrt(float64(v)), nil
	case float64:
		return math.Sqrt(v), nil
	}
	return nil, NoSuchOverload
}

func bitNot(v any) (any, error) {
	switch v := v.(type) {
	case int64:
		return ^v, nil
	case uint64:
		return ^v, nil
	}
	return nil, NoSuchOverload
}

// bits is an operation on two ints or two uints, bit by bit.
func bits(of func(a, b uint64) uint64) func(a, b any) (any, error) {
	return func(a, b any) (any, error) {
		switch a := a.(type) {
		case int64:
			if b, ok := b.(int64); ok {
				return int64(of(uint64(a), uint64(b))), nil
			}
		case uint64:
			if b, ok := b.(uint64); ok {
				return of(a, b), nil
			}
		}
		return nil, NoSuchOverload
	}
}

// shift moves the bits of an int or uint. The sign of an int is a bit like the others.
func shift(of func(v, by uint64) uint64) func(a, b any) (any, error) {
	return func(a, b any) (any, error) {
		by, ok := b.(int64)
		if !ok {
			return nil, NoSuchOverload
		}
		switch a := a.(type) {
		case int64:
			if by < 0 {
				return nil, NotConverted
			}
			return int64(of(uint64(a), uint64(by))), nil
		case uint64:
			if by < 0 {
				return nil, NotConverted
			}
			return of(a, uint64(by)), nil
		}
		return nil, NoSuchOverload
	}
}
