package ledger

import "github.com/pie-consortium/pie/ledger/fault"

// Level is a record's security level, and the clearance a user holds:
// low < moderate < private.
type Level string

// The levels, lowest first.
const (
	LevelLow      Level = "low"
	LevelModerate Level = "moderate"
	LevelPrivate  Level = "private"
)

// Levels returns the levels, lowest first.
func Levels() []Level { return []Level{LevelLow, LevelModerate, LevelPrivate} }

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
	ClassMedicalInformation  Class = "medical-information"
	ClassAdmission           Class = "admission"
	ClassPrescription        Class = "prescription"
	ClassImaging             Class = "imaging"
	ClassMedicalDevice       Class = "medical-device"
	ClassMedicine            Class = "medicine"
	ClassClinicalObservation Class = "clinical-observation"
	ClassOmics               Class = "omics"
	ClassSensor              Class = "sensor"
	ClassSummary             Class = "summary"
)

// Classes returns every class.
func Classes() []Class {
	return []Class{ClassMedicalInformation, ClassAdmission, ClassPrescription, ClassImaging, ClassMedicalDevice, ClassMedicine,
		ClassClinicalObservation, ClassOmics, ClassSensor, ClassSummary}
}

// Level is the lowest level a record of the class may have; empty for an unknown class.
func (c Class) Level() Level {
	switch c {
	case ClassMedicalInformation, ClassAdmission, ClassPrescription, ClassImaging, ClassSummary:
		return LevelPrivate
	case ClassMedicalDevice, ClassMedicine, ClassClinicalObservation, ClassOmics:
		return LevelLow
	case ClassSensor:
		return LevelModerate
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
