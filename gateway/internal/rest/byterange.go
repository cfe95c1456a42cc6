package rest

import (
	"regexp"
	"strconv"

	"github.com/pie-consortium/pie/gateway/internal/ipfs"
	"github.com/pie-consortium/pie/ledger/fault"
)

// rangeForm is one range of bytes (RFC 9110): from–to, from–, or the last few.
var rangeForm = regexp.MustCompile(`^bytes=([0-9]{0,18})-([0-9]{0,18})$`)

// parseRange reads a Range header for a content of the size. A header that is absent,
// of another form or for several ranges means all of it, as RFC 9110 allows; it reports
// whether a part was asked for, and refuses a part that lies outside.
func parseRange(header string, size int64) (ipfs.Range, bool, error) {
	all := ipfs.Range{Length: size}
	match := rangeForm.FindStringSubmatch(header)
	if match == nil || match[1] == "" && match[2] == "" {
		return all, false, nil
	}
	first, firstErr := strconv.ParseInt(match[1], 10, 64)
	last, lastErr := strconv.ParseInt(match[2], 10, 64)
	switch {
	case firstErr != nil:
		first, last = max(size-last, 0), size-1
	case lastErr != nil:
		last = size - 1
	case last < first:
		return all, false, nil
	}
	last = min(last, size-1)
	if first > last {
		return all, false, fault.New(fault.InvalidArgument, "the range lies outside the content's %d bytes", size)
	}
	return ipfs.Range{Offset: first, Length: last - first + 1}, true, nil
}
