package ledger

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/pie-consortium/pie/ledger/fault"
)

// UserID names a user by the MSP that vouches for them and the pseudonym their
// certificate carries. Both are compared wherever ownership matters: another
// hospital's CA cannot mint the name.
type UserID struct {
	MSP       string
	Pseudonym string
}

var (
	mspForm       = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9.-]{0,63}$`)
	pseudonymForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,63}$`)
)

// ParseUserID reads the form "HospitalA/7f3k…".
func ParseUserID(text string) (UserID, error) {
	msp, pseudonym, _ := strings.Cut(text, "/")
	id := UserID{MSP: msp, Pseudonym: pseudonym}
	return id, id.Validate()
}

// Validate refuses anything that is not an MSP and a pseudonym.
func (u UserID) Validate() error {
	if !mspForm.MatchString(u.MSP) || ValidatePseudonym(u.Pseudonym) != nil {
		return fault.New(fault.InvalidArgument, "user must be an MSP and a pseudonym, such as HospitalA/7f3k2a")
	}
	return nil
}

// ValidatePseudonym refuses what cannot be a user's name inside a hospital. Accounts that
// nobody outside may reach, such as that of a CA's registrar, have names that it refuses.
func ValidatePseudonym(name string) error {
	if !pseudonymForm.MatchString(name) {
		return fault.New(fault.InvalidArgument, "a pseudonym is 1 to 64 of a-z, 0-9, dots and dashes, and begins with a letter or digit, such as 7f3k2a")
	}
	return nil
}

// String writes "HospitalA/7f3k…".
func (u UserID) String() string { return u.MSP + "/" + u.Pseudonym }

// MarshalText writes the form of [UserID.String]; the zero value is empty.
func (u UserID) MarshalText() ([]byte, error) {
	if u == (UserID{}) {
		return nil, nil
	}
	return []byte(u.String()), nil
}

// UnmarshalText reads the form of [ParseUserID]; empty text is the zero value.
func (u *UserID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*u = UserID{}
		return nil
	}
	id, err := ParseUserID(string(text))
	if err != nil {
		return err
	}
	*u = id
	return nil
}

// Identity is what a certificate of a member MSP says about its holder.
type Identity struct {
	User       UserID `json:"user"`
	Role       Role   `json:"role"`
	Clearance  Level  `json:"clearance,omitempty"`
	Department string `json:"department,omitempty"`
}

// Subject is whom a grant or an upload slot is addressed to: a person, or a hospital's
// department. The kind is part of the written form ("person:HospitalA/7f3k…",
// "department:HospitalA/cardiology").
type Subject struct {
	Kind SubjectKind
	User UserID // of a department, Pseudonym is its name
}

// SubjectKind says what a [Subject] is.
type SubjectKind string

// The kinds: exactly one user; every physician whose certificate names the department.
const (
	SubjectPerson     SubjectKind = "person"
	SubjectDepartment SubjectKind = "department"
)

// PersonSubject addresses one user.
func PersonSubject(user UserID) Subject { return Subject{Kind: SubjectPerson, User: user} }

// DepartmentSubject addresses the physicians of one hospital's department.
func DepartmentSubject(msp, department string) Subject {
	return Subject{Kind: SubjectDepartment, User: UserID{MSP: msp, Pseudonym: department}}
}

// ParseDepartment reads a department in the form "HospitalA/cardiology". All behind the
// first slash is its name, which may have others.
func ParseDepartment(text string) (Subject, error) {
	subject := namedSubject(SubjectDepartment, text)
	return subject, subject.Validate()
}

func namedSubject(kind SubjectKind, text string) Subject {
	msp, name, _ := strings.Cut(text, "/")
	return Subject{Kind: kind, User: UserID{MSP: msp, Pseudonym: name}}
}

// Includes reports whether somebody may act as the subject.
func (s Subject) Includes(who Identity) bool {
	switch s.Kind {
	case SubjectPerson:
		return s.User == who.User
	case SubjectDepartment:
		return who.Role == RolePhysician && who.Department != "" && s.User == UserID{MSP: who.User.MSP, Pseudonym: who.Department}
	}
	return false
}

// Validate refuses unknown kinds and malformed names.
func (s Subject) Validate() error {
	switch {
	case s.Kind == SubjectPerson:
		return s.User.Validate()
	case s.Kind == SubjectDepartment && mspForm.MatchString(s.User.MSP):
		return ValidateName("department", s.User.Pseudonym, MaxDepartment)
	}
	return fault.New(fault.InvalidArgument, "subject must be of the form person:HospitalA/7f3k2a or department:HospitalA/cardiology")
}

// String writes "person:HospitalA/7f3k…".
func (s Subject) String() string { return fmt.Sprintf("%s:%s", s.Kind, s.User) }

// MarshalText writes the form of [Subject.String].
func (s Subject) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the form of [Subject.String].
func (s *Subject) UnmarshalText(text []byte) error {
	kind, name, _ := strings.Cut(string(text), ":")
	subject := namedSubject(SubjectKind(kind), name)
	if err := subject.Validate(); err != nil {
		return err
	}
	*s = subject
	return nil
}
