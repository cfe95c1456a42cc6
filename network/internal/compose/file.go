package compose

import "github.com/goccy/go-yaml"

// project is a compose file, as far as this package writes one.
type project struct {
	Name     string            `yaml:"name"`
	Hardened *Hardened         `yaml:"x-hardened,anchor=hardened"`
	Services yaml.MapSlice     `yaml:"services"`
	Networks yaml.MapSlice     `yaml:"networks"`
	Volumes  map[string]any    `yaml:"volumes"`
	Configs  map[string]config `yaml:"configs"`
}

// Hardened is what every container gets: no root, no capability, nothing to write to
// but its state and a small folder in memory, logs of bounded size.
type Hardened struct {
	User        string   `yaml:"user"`
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	SecurityOpt []string `yaml:"security_opt"`
	Tmpfs       []string `yaml:"tmpfs"`
	Init        bool     `yaml:"init"`
	Restart     string   `yaml:"restart"`
	StopGrace   string   `yaml:"stop_grace_period"`
	Logging     logging  `yaml:"logging"`
}

func newHardened() *Hardened {
	return &Hardened{
		User: "10001:10001", ReadOnly: true, CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges:true"},
		Tmpfs: []string{"/tmp:mode=1777,size=64m"}, Init: true, Restart: "unless-stopped", StopGrace: "30s",
		Logging: logging{Driver: "local", Options: map[string]string{"max-size": "10m", "max-file": "5"}},
	}
}

type logging struct {
	Driver  string            `yaml:"driver"`
	Options map[string]string `yaml:"options"`
}

type service struct {
	*Hardened   `yaml:",omitempty,inline,alias"`
	Image       string                `yaml:"image"`
	Build       *build                `yaml:"build,omitempty"`
	Hostname    string                `yaml:"hostname,omitempty"`
	Restart     string                `yaml:"restart,omitempty"`
	Entrypoint  []string              `yaml:"entrypoint,omitempty"`
	Command     []string              `yaml:"command,omitempty"`
	WorkingDir  string                `yaml:"working_dir,omitempty"`
	Environment map[string]string     `yaml:"environment,omitempty"`
	DependsOn   map[string]condition  `yaml:"depends_on,omitempty"`
	Healthcheck *healthcheck          `yaml:"healthcheck,omitempty"`
	NetworkMode string                `yaml:"network_mode,omitempty"`
	Networks    map[string]attachment `yaml:"networks,omitempty"`
	Ports       []string              `yaml:"ports,omitempty"`
	Volumes     []volume              `yaml:"volumes"`
	Configs     []mountedConfig       `yaml:"configs,omitempty"`
	Deploy      deploy                `yaml:"deploy"`
}

type build struct {
	Context    string `yaml:"context"`
	Dockerfile string `yaml:"dockerfile"`
}

// buildWith says how to build an image; without a Dockerfile there is nothing to build.
func buildWith(dockerfile string) *build {
	if dockerfile == "" {
		return nil
	}
	return &build{Context: ".", Dockerfile: dockerfile}
}

type condition struct {
	Condition string `yaml:"condition"`
}

var (
	healthy   = condition{"service_healthy"}
	completed = condition{"service_completed_successfully"}
)

type healthcheck struct {
	Test          []string `yaml:"test"`
	Interval      string   `yaml:"interval"`
	Timeout       string   `yaml:"timeout"`
	Retries       int      `yaml:"retries"`
	StartPeriod   string   `yaml:"start_period"`
	StartInterval string   `yaml:"start_interval"`
}

type attachment struct {
	Address string `yaml:"ipv4_address,omitempty"`
}

type network struct {
	Internal bool  `yaml:"internal,omitempty"`
	IPAM     *ipam `yaml:"ipam,omitempty"`
}

type ipam struct {
	Config []pool `yaml:"config"`
}

type pool struct {
	Subnet string `yaml:"subnet"`
	Range  string `yaml:"ip_range"`
}

type volume struct {
	Type     string         `yaml:"type"`
	Source   string         `yaml:"source"`
	Target   string         `yaml:"target"`
	ReadOnly bool           `yaml:"read_only,omitempty"`
	Volume   *volumeOptions `yaml:"volume,omitempty"`
}

type volumeOptions struct {
	NoCopy  bool   `yaml:"nocopy"`
	Subpath string `yaml:"subpath"`
}

type config struct {
	File string `yaml:"file"`
}

type mountedConfig struct {
	Source string `yaml:"source"`
	Target string `yaml:"target"`
}

type deploy struct {
	Resources resources `yaml:"resources"`
}

type resources struct {
	Limits amounts `yaml:"limits"`
}

type amounts struct {
	CPUs   string `yaml:"cpus"`
	Memory string `yaml:"memory"`
	PIDs   int    `yaml:"pids"`
}
