package ledger

import "github.com/pie-consortium/pie/ledger/fault"

// Level is a record's security level, and the clearance a user holds:
// low < moderate < private.
type Level string

// The levels, lowest first.
const (
	Low      Level = "low"
	Moderate Level = "moderate"
	Private  Level = "private"
)

// Levels returns the levels, lowest first.
func Levels() []Level { return []Level{Low, Moderate, Private} }

// rank is 1 for low and grows; 0 means no level at all, which is below every level.
func (l Level) rank() int {
	for i, level := range Levels() {
		if l == level {
			return i + 1
		}
	}
	return 0
}

// AtLeast reports whether l is as high as other. No level is below every level.
func (l Level) AtLeast(other Level) bool { return l.rank() >= other.rank() }

// Validate refuses everything but the three levels.
func (l Level) Validate() error {
	if l.rank() == 0 {
		return fault.New(fault.InvalidArgument, "level must be one of low, moderate, private")
	}
	return nil
}

// Class says what kind of data a record holds. The level follows from it
// (Lee et al., JMIR 2022;24(3):e29108, table of data classes).
type Class string

// The classes: medical record, clinical trial, lifelog, and the emergency summary.
const (
	MedicalInformation  Class = "medical-information"
	Admission           Class = "admission"
	Prescription        Class = "prescription"
	Imaging             Class = "imaging"
	MedicalDevice       Class = "medical-device"
	Medicine            Class = "medicine"
	ClinicalObservation Class = "clinical-observation"
	Omics               Class = "omics"
	Sensor              Class = "sensor"
	EmergencySummary    Class = "summary"
)

// Classes returns every class.
func Classes() []Class {
	return []Class{MedicalInformation, Admission, Prescription, Imaging, MedicalDevice, Medicine,
		ClinicalObservation, Omics, Sensor, EmergencySummary}
}

// Level is the lowest level a record of the class may have; empty for an unknown class.
func (c Class) Level() Level {
	switch c {
	case MedicalInformation, Admission, Prescription, Imaging, EmergencySummary:
		return Private
	case MedicalDevice, Medicine, ClinicalObservation, Omics:
		return Low
	case Sensor:
		return Moderate
	}
	return ""
}

// Validate refuses unknown classes.
func (c Class) Validate() error {
	if c.Level() == "" {
		return fault.New(fault.InvalidArgument, "class must be one of %v", Classes())
	}
	return nil
}
