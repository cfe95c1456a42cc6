// Package canary searches a network for what must not be in it: plaintext, private keys
// and metadata of records, in every form that software tends to write them in.
//
// A [Canary] is a value that somebody would recognise. [NewSearch] takes all of them and
// derives their forms; the methods of [Search] then look at places, each byte of them:
// folders of files with the databases decoded ([Search.Tree]), the memory of processes
// ([Search.Process]), packets on loopback ([Record], [Search.Packets]). What a place may
// hold is said by its [PlaceKind], and [Search.Forbidden] is what was found beyond that.
//
// It does not see a value that was encrypted, compressed other than by gzip or LevelDB,
// or split by the frames of a protocol at the one place where it stands: canaries are to
// be repeated in what they mark. Nor does it see what a process has overwritten before
// its memory was looked at.
package canary
