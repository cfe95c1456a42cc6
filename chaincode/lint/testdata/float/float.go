// Package float counts in floating point.
package float

type row struct {
	Weight float64 // want `floating point differs`
	Grams  int64
}

func mean(rows []row) int64 {
	sum := rows[0].Weight // want `floating point differs`
	_ = sum               // want `floating point differs`
	return int64(3.0) * rows[0].Grams / int64(len(rows))
}

func scale(grams int64) int64 {
	return int64(float32(grams) * 0.5) // want `floating point differs`
}

const half = 0.5

func double(grams int64) int64 { return grams * int64(2*2*half) }
