package canary

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"path"
	"testing"

	"github.com/pie-consortium/pie/gateway/api"
	"github.com/pie-consortium/pie/ledger"
)

const tusVersion = "1.0.0"

// pieces has the ciphertext of a document come to another slot in pieces, as any program
// may have it: once all of it, once a half that nothing follows.
func (s *scene) pieces(t *testing.T, c cast, d *document) {
	t.Helper()
	answer, err := s.device(t, c.patient).ReadContent(t.Context(), d.record, 1, &api.ReadContentParams{})
	ciphertext := answered(t, answer, err, http.StatusOK)
	slot := ledger.ID(s.id(t, c.patient, "record", "authorize", "--physician", c.physician.user.String(), "--class", string(d.class)))
	author, half := s.device(t, c.physician), len(ciphertext)/2
	whole := s.announce(t, author, slot, len(ciphertext))
	appendPiece(t, author, slot, whole, 0, ciphertext[:half])
	appendPiece(t, author, slot, whole, half, ciphertext[half:])
	appendPiece(t, author, slot, s.announce(t, author, slot, len(ciphertext)), 0, ciphertext[:half])
}

// announce begins an upload, with a name that is nobody's business.
func (s *scene) announce(t *testing.T, by *api.Client, slot ledger.ID, size int) ledger.ID {
	t.Helper()
	name := base64.StdEncoding.EncodeToString([]byte(s.word("name of an upload in pieces", Secret)))
	version := tusVersion
	answer, err := by.BeginContent(t.Context(), slot, &api.BeginContentParams{TusResumable: &version, UploadLength: int64(size)},
		func(_ context.Context, r *http.Request) error {
			r.Header.Set("Upload-Metadata", "filename "+name)
			return nil
		})
	answered(t, answer, err, http.StatusCreated)
	return ledger.ID(path.Base(answer.Header.Get("Location")))
}

func appendPiece(t *testing.T, by *api.Client, slot, upload ledger.ID, offset int, piece []byte) {
	t.Helper()
	version := tusVersion
	answer, err := by.AppendContentWithBody(t.Context(), slot, upload, &api.AppendContentParams{TusResumable: &version, UploadOffset: int64(offset)},
		"application/offset+octet-stream", bytes.NewReader(piece))
	answered(t, answer, err, http.StatusNoContent)
}

func answered(t *testing.T, answer *http.Response, err error, want int) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != want {
		t.Fatalf("the gateway answered %s, want %d: %s", answer.Status, want, text)
	}
	return text
}
