package main

import (
	"context"
	"mime"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/internal/input"
	"github.com/pie-consortium/pie/internal/usage"
	"github.com/pie-consortium/pie/ledger"
)

// uploading is what a professional uploads, as flags say it.
type uploading struct {
	patient, record string
	unattended      bool
	metadata        ledger.Metadata
}

func (a *app) upload() *cobra.Command {
	var u uploading
	command := &cobra.Command{
		Use:   "upload --patient USER --class CLASS FILE…",
		Short: "Encrypt files to their patient and register them in slots that they authorised",
		Long: `Encrypt files to their patient and register them in slots that they authorised: one
file in the slot named by --record, or each in a free one that the patient opened for you
or your department. Without a patient who could authorise anything (--unattended) the key
is made here, and its secret is left for the patient alone.

What the record is about (class, media type, codes, sex, age band) is private to the
member hospitals and can be searched there. Interrupted, run it again with the same
files: it finishes the same registrations, and leaves those alone that are done.`,
		Example: "  pie record upload --patient HospitalA/k4wq7h --record 4v7…q2 --class medical-information bundle.json\n" +
			"  pie record upload --patient HospitalA/k4wq7h --class imaging --code 'http://snomed.info/sct|168731009' *.dcm\n" +
			"  pie record upload --unattended --patient HospitalA/k4wq7h --class admission admission.json",
		Args: someFiles,
		RunE: func(command *cobra.Command, files []string) error {
			patient, err := ledger.ParseUserID(u.patient)
			if err != nil {
				return err
			}
			if u.record != "" && len(files) > 1 {
				return usage.Errorf("--record names one slot, for one file")
			}
			c, err := a.open()
			if err != nil {
				return err
			}
			upload, done, err := u.way(command.Context(), c, patient)
			if err != nil {
				return err
			}
			defer done()
			if len(files) > 1 {
				return a.importAll(command.Context(), u.records(patient, files), upload)
			}
			registered, err := upload(command.Context(), u.records(patient, files)[0])
			if err != nil {
				return err
			}
			return a.printRecord(registered)
		},
	}
	flags := command.Flags()
	flags.StringVar(&u.patient, "patient", "", "whose record, as they told you")
	flags.StringVar(&u.record, "record", "", "ID that the patient authorised (default: any that is free)")
	flags.BoolVar(&u.unattended, "unattended", false, "the patient can authorise nothing")
	flags.StringVar((*string)(&u.metadata.Class), "class", "", "kind of data, such as medical-information or imaging")
	flags.StringVar(&u.metadata.MediaType, "media-type", "", "media type (default: DICOM by its bytes, others by the file's name)")
	flags.StringSliceVar(&u.metadata.Codes, "code", nil, "what it is about, as system|code (repeat)")
	flags.StringVar(&u.metadata.Sex, "sex", "", "female, male, other or unknown")
	flags.StringVar(&u.metadata.AgeBand, "age-band", "", "such as 40-49")
	require(command, "patient", "class")
	command.MarkFlagsMutuallyExclusive("record", "unattended")
	return command
}

// someFiles wants one or more, each once: the same file twice would be two records.
func someFiles(command *cobra.Command, files []string) error {
	if len(files) == 0 {
		return usage.Errorf("%s takes one FILE or more; see: %s --help", command.CommandPath(), command.CommandPath())
	}
	seen := map[string]bool{}
	for _, file := range files {
		if seen[filepath.Clean(file)] {
			return usage.Errorf("%s is given twice", file)
		}
		seen[filepath.Clean(file)] = true
	}
	return nil
}

// way is how one file is uploaded; done is called after the last.
func (u uploading) way(ctx context.Context, c *client.Client, patient ledger.UserID) (upload way, done func(), err error) {
	switch {
	case u.record != "":
		return c.Upload, func() {}, nil
	case u.unattended:
		return c.UploadUnattended, func() {}, nil
	}
	free, err := c.FreeSlots(ctx, patient)
	if err != nil {
		return nil, nil, err
	}
	return free.Upload, free.Close, nil
}

type way = func(context.Context, client.NewRecord) (ledger.Record, error)

func (u uploading) records(patient ledger.UserID, files []string) []client.NewRecord {
	var records []client.NewRecord
	for _, file := range files {
		n := client.NewRecord{Patient: patient, Record: ledger.ID(u.record), Metadata: u.metadata, File: file}
		if n.Metadata.MediaType == "" {
			n.Metadata.MediaType = mediaType(file)
		}
		records = append(records, n)
	}
	return records
}

// mediaType goes by the file's name, but for DICOM: discs and scanners name such files as
// they like, or not at all.
func mediaType(path string) string {
	extension := filepath.Ext(path)
	if strings.EqualFold(extension, ".dcm") || isDICOM(path) {
		return "application/dicom"
	}
	if known := mime.TypeByExtension(extension); known != "" {
		return known
	}
	return "application/octet-stream"
}

// isDICOM looks for the prefix behind the preamble (DICOM PS3.10, 7.1). A file that cannot
// be read is not one; uploading it says why.
func isDICOM(path string) bool {
	const preamble, prefix = 128, "DICM"
	file, err := input.OpenGrowing(path)
	if err != nil {
		return false
	}
	defer file.Close()
	found := make([]byte, len(prefix))
	_, err = file.ReadAt(found, preamble)
	return err == nil && string(found) == prefix
}

func (a *app) printRecord(r ledger.Record) error {
	return a.print(r, table{
		{"record", string(r.ID)}, {"state", string(r.State)}, {"patient", r.Patient.String()},
		{"author", r.Author.String()}, {"level", string(r.Level)}, contentRows(r)[0],
	})
}
