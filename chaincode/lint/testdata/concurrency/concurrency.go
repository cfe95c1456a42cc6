// Package concurrency runs things at the same time.
package concurrency

func all(rows []string, each func(string) error) error {
	failed := make(chan error) // want `a channel in a transaction`
	for _, row := range rows {
		go func() { // want `a goroutine in a transaction`
			failed <- each(row) // want `a send in a transaction`
		}()
	}
	select { // want `a select in a transaction`
	case err := <-failed: // want `a receive in a transaction`
		return err
	default:
	}
	for err := range failed { // want `a range over a channel in a transaction`
		return err
	}
	return nil
}

func oneByOne(rows []string, each func(string) error) error {
	for _, row := range rows {
		defer each(row)
	}
	return nil
}
