package rest

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/pie-consortium/pie/gateway/internal/fabric"
	"github.com/pie-consortium/pie/ledger"
)

// ReadReceipt hands out the block of an access to those to whom the ledger shows it.
func (a *API) ReadReceipt(ctx context.Context, request ReadReceiptRequestObject) (ReadReceiptResponseObject, error) {
	if err := hold(ctx, fabric.MaxMessage); err != nil { // nobody knows a block's size before it is here
		return nil, err
	}
	access, err := read[ledger.Access](ctx, a, ledger.TxReadAccess,
		ledger.ReadAccess{OnBehalf: onBehalf(ctx), Record: request.Record, Open: request.TransactionID})
	if err != nil {
		return nil, err
	}
	block, err := a.Peer.Block(ctx, access.Open)
	if err != nil {
		return nil, err
	}
	weightOf(ctx).Drop(fabric.MaxMessage - len(block))
	return newReceipt(ctx, access, block)
}

// receipt is [api.Receipt] as it is sent: the block is held once, as it came, however
// slowly it is taken.
type receipt struct {
	access []byte // JSON
	block  []byte
	tag    string
	has    bool // the caller does, already
}

func newReceipt(ctx context.Context, access ledger.Access, block []byte) (receipt, error) {
	text, err := json.Marshal(access)
	digest := sha256.New()
	digest.Write(text)
	digest.Write(block)
	r := receipt{access: text, block: block, tag: fmt.Sprintf(`W/"%x"`, digest.Sum(nil)[:16])}
	if c, ok := ctx.(*gin.Context); ok {
		r.has = known(c.GetHeader("If-None-Match"), r.tag)
	}
	return r, err
}

// VisitReadReceiptResponse writes it.
func (r receipt) VisitReadReceiptResponse(w http.ResponseWriter) error {
	w.Header().Set("ETag", r.tag)
	w.Header().Set("Cache-Control", "private, no-cache")
	if r.has {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	// The error of the last line is that of all: a writer that failed stays so.
	buffered := bufio.NewWriterSize(w, pieceSize)
	fmt.Fprintf(buffered, `{"access":%s,"block":"`, r.access)
	encoder := base64.NewEncoder(base64.StdEncoding, buffered)
	if _, err := encoder.Write(r.block); err != nil {
		return err
	}
	if err := encoder.Close(); err != nil {
		return err
	}
	_, _ = buffered.WriteString("\"}\n")
	return buffered.Flush()
}
