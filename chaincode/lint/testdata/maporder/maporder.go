// Package maporder ranges over maps.
package maporder

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sort"
	"sync"
)

func write(string, int) error { return nil }

func inAnyOrder(rows map[string]int) error {
	for key, row := range rows { // want `the loop calls write`
		if err := write(key, row); err != nil {
			return err
		}
	}
	return nil
}

func collected(rows map[string]int) []string {
	var keys []string
	for key := range rows { // want `appends to keys, which is not sorted after it`
		keys = append(keys, key)
	}
	return keys
}

func sorted(rows map[string]int) []string {
	var keys, more []string
	for key := range rows {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for key := range rows {
		more = append(more, key)
	}
	slices.Sort(more)
	return append(append(keys, more...), slices.Sorted(maps.Keys(rows))...)
}

func first(rows map[string]int) (string, int) {
	for key, row := range rows { // want `the loop returns key`
		return key, row
	}
	return "", 0
}

func firstError(rows map[string]int) error {
	for key, row := range rows { // want `the loop calls fmt.Errorf`
		if row == 0 {
			return fmt.Errorf("row %s is empty", key)
		}
	}
	return nil
}

func one(rows map[string]int) error {
	for _, row := range rows { // want `the loop returns one thing or another`
		if row == 0 {
			return errors.New("a row is empty")
		}
		if row < 0 {
			return errors.New("a row is negative")
		}
	}
	return nil
}

func same(rows map[string]int) error {
	for key, row := range rows {
		if row == 0 || key == "" {
			return errors.New("a row is empty")
		}
	}
	return nil
}

func last(rows map[string]int) (int, bool) {
	var last int
	var found bool
	for _, row := range rows { // want `the loop assigns last`
		last = row
		found = true
	}
	return last, found
}

func anyOne(rows map[string]int) (found bool) {
	for range rows { // want `the loop ends early`
		found = true
		break
	}
	return found
}

func either(rows map[string]int) (found bool) {
	for _, row := range rows { // want `the loop assigns found`
		if row > 0 {
			found = true
		} else {
			found = false
		}
	}
	return found
}

func seen(rows map[string]int) map[int]bool {
	seen := map[int]bool{}
	for _, row := range rows {
		seen[row] = true
	}
	return seen
}

func others(rows *sync.Map, row any) []reflect.Value {
	rows.Range(func(any, any) bool { return true }) // want `rows.Range gives an order that differs`
	return reflect.ValueOf(row).MapKeys()           // want `MapKeys gives an order that differs`
}

func joined(rows map[string]int) (text string) {
	for key := range rows { // want `the loop assigns text`
		text += key
	}
	return text
}

func tally(rows map[string]int, limit int) (int, error) {
	sum := 0
	for _, row := range rows { // want `the loop returns sum`
		sum += row
		if sum > limit {
			return sum, errors.New("too many")
		}
	}
	return sum, nil
}

func membership(rows map[string]int, others map[string]bool) (map[string]int, int, bool) {
	copied, count, found := map[string]int{}, 0, false
	for key, row := range rows {
		if others[key] {
			continue
		}
		twice := 2 * row
		copied[key] = twice
		count++
		delete(others, key)
		if row > 3 {
			found = true
		}
	}
	return copied, count, found
}

func byValue(rows map[string]int) map[int]string {
	names := map[int]string{}
	for key, row := range rows { // want `the loop assigns names\[row\]`
		names[row] = key
	}
	return names
}

func values(rows map[string]int) ([]string, map[string]int) {
	keys := slices.Collect(maps.Keys(rows)) // want `maps.Keys gives an order that differs`
	for key := range maps.Keys(rows) {      // want `the loop calls write`
		write(key, 0)
	}
	return keys, maps.Collect(maps.All(rows))
}

func slicesAreOrdered(rows []string) error {
	for i, row := range rows {
		if err := write(row, i); err != nil {
			return err
		}
	}
	return nil
}
