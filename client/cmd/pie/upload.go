package main

import (
	"mime"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/pie-consortium/pie/client"
	"github.com/pie-consortium/pie/ledger"
)

func (a *app) upload() *cobra.Command {
	var patient, record string
	var summary ledger.Summary
	command := &cobra.Command{
		Use:   "upload --patient USER --record ID --class CLASS FILE",
		Short: "Encrypt a file to its patient and register it in the slot they authorised",
		Long: `Encrypt a file to its patient and register it in the slot they authorised.

What the record is about (class, media type, codes, sex, age band) is private to the
member hospitals and can be searched there. Interrupted, run it again with the same
file: it finishes the same registration.`,
		Example: "  pie record upload --patient HospitalA/k4wq7h --record 4v7…q2 --class medical-information bundle.json\n" +
			"  pie record upload --patient HospitalA/k4wq7h --record 4v7…q2 --class imaging --code 'http://snomed.info/sct|168731009' chest.dcm",
		Args: exactly("FILE"),
		RunE: func(command *cobra.Command, arguments []string) error {
			user, err := ledger.ParseUserID(patient)
			if err != nil {
				return err
			}
			if summary.MediaType == "" {
				summary.MediaType = mediaType(arguments[0])
			}
			c, err := a.open()
			if err != nil {
				return err
			}
			registered, err := c.Upload(command.Context(), client.NewRecord{
				Patient: user, Record: ledger.ID(record), Summary: summary, File: arguments[0],
			})
			if err != nil {
				return err
			}
			return a.printRecord(registered)
		},
	}
	flags := command.Flags()
	flags.StringVar(&patient, "patient", "", "whose record, as they told you")
	flags.StringVar(&record, "record", "", "ID that the patient authorised")
	flags.StringVar((*string)(&summary.Class), "class", "", "kind of data, such as medical-information or imaging")
	flags.StringVar(&summary.MediaType, "media-type", "", "media type (default: by the file's name)")
	flags.StringSliceVar(&summary.Codes, "code", nil, "what it is about, as system|code (repeat)")
	flags.StringVar(&summary.Sex, "sex", "", "female, male, other or unknown")
	flags.StringVar(&summary.AgeBand, "age-band", "", "such as 40-49")
	require(command, "patient", "record", "class")
	return command
}

// mediaType goes by the file's name: the content is nobody's business here.
func mediaType(path string) string {
	extension := filepath.Ext(path)
	if extension == ".dcm" {
		return "application/dicom"
	}
	if known := mime.TypeByExtension(extension); known != "" {
		return known
	}
	return "application/octet-stream"
}

func (a *app) printRecord(r ledger.Record) error {
	return a.print(r, table{
		{"record", string(r.Record)}, {"state", string(r.State)}, {"patient", r.Patient.String()},
		{"author", r.Author.String()}, {"level", string(r.Level)}, contentRows(r)[0],
	})
}
