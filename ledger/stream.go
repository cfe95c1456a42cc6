package ledger

import (
	"time"

	"github.com/pie-consortium/pie/ledger/fault"
)

// A stream is a record that grows: one key, one policy and one grant open all its
// segments, those to come too. Each segment is a ciphertext with a capsule of its own.

// Limits of streams.
const (
	// MaxSegments is how many segments one transaction appends.
	MaxSegments = 32
	// MaxReleased is how many segments proxies re-encrypt for in one answer.
	MaxReleased = 64
	// MaxReadings is how many readings a segment holds.
	MaxReadings = 10_000
	// MaxStream is how many segments a stream has at most: one transaction erases them all,
	// and each hospital confirms them all in one.
	MaxStream = 10_000
)

// Segment is one ciphertext of a stream, with some of its readings.
type Segment struct {
	Number     int       `json:"number"` // in the stream, from 1 without a gap
	CID        string    `json:"cid"`    // of the ciphertext, as in [Record]
	SHA256     Digest    `json:"sha256"` // SHA-256 of the ciphertext, all bytes of the age file
	Size       int64     `json:"size"`
	Capsule    []byte    `json:"capsule"`
	Commitment Digest    `json:"commitment"` // SHA-256 of what is encrypted: 32 random bytes ‖ readings
	Readings   int       `json:"readings"`
	From       time.Time `json:"from"` // of the earliest reading
	To         time.Time `json:"to"`   // of the latest reading
}

// Validate checks forms and sizes.
func (s Segment) Validate() error {
	if s.Readings < 1 || s.Readings > MaxReadings {
		return fault.New(fault.InvalidArgument, "a segment has 1 to %d readings", MaxReadings).At("readings")
	}
	if s.From.IsZero() || s.To.Before(s.From) {
		return fault.New(fault.InvalidArgument, "a segment's readings are from a time to the same or a later one").At("from")
	}
	return firstError(validateNumber(s.Number), validateContent(s.CID, s.Size, s.Capsule))
}

func validateNumber(number int) error {
	if number < 1 || number > MaxStream {
		return fault.New(fault.InvalidArgument, "segments are numbered 1 to %d; behind the last, begin another stream", MaxStream).At("number")
	}
	return nil
}

// AppendSegments appends to a stream, as the author whom its slot is addressed to. The
// first append makes the stream a record; what that is about goes through the transient
// map as [TransientMetadata] with segment 1. Result: [Record].
type AppendSegments struct {
	Stream   ID        `json:"stream"`
	Segments []Segment `json:"segments"`
}

// Validate refuses segments that do not follow one another.
func (a AppendSegments) Validate() error {
	if len(a.Segments) == 0 || len(a.Segments) > MaxSegments {
		return fault.New(fault.InvalidArgument, "1 to %d segments are appended at once", MaxSegments).At("segments")
	}
	for i, segment := range a.Segments {
		if segment.Number != a.Segments[0].Number+i {
			return fault.New(fault.InvalidArgument, "the segments' numbers must follow one another").At("segments")
		}
		if err := segment.Validate(); err != nil {
			return err
		}
	}
	return a.Stream.Validate()
}

// ListSegments lists a stream's segments in order, for those who may discover it.
// Result: List[Segment].
type ListSegments struct {
	OnBehalf
	Page
	RecordVersion
}

// Validate checks the parts.
func (q ListSegments) Validate() error {
	return firstError(q.RecordVersion.Validate(), q.Page.Validate())
}

// ValidateReleased refuses segments to re-encrypt for that are too many or out of order;
// none at all are asked for with an ordinary record.
func ValidateReleased(segments []int) error {
	if len(segments) > MaxReleased {
		return fault.New(fault.InvalidArgument, "at most %d segments are re-encrypted for at once", MaxReleased)
	}
	for i, number := range segments {
		if err := validateNumber(number); err != nil {
			return err
		}
		if i > 0 && number <= segments[i-1] {
			return fault.New(fault.InvalidArgument, "the numbers of segments must ascend")
		}
	}
	return nil
}
