package compose

import "github.com/pie-consortium/pie/network/internal/settings"

const (
	// prepareService makes keys and configuration before any node starts, setupService
	// has the nodes form the consortium once they run.
	prepareService, setupService = "prepare", "setup"
	// volumeName is the volume that holds all of the network's data.
	volumeName = "consortium"
	// topologyConfig is the topology, topologyPath where a container reads it.
	topologyConfig, topologyPath = "topology", "/etc/pie/consortium.yaml"
	// toolsPath is where the image of pie-network has the programs that it uses.
	toolsPath = "/usr/local/lib/pie"
)

// step is a container that runs pie-network once; both steps find what is done.
func step(hardened *Hardened, arguments ...string) service {
	return service{
		Hardened: hardened, Image: "pie-network", Build: buildWith("network/Dockerfile"), Restart: "no",
		Command: arguments, Deploy: limits("2", "1G", 256),
	}
}

// prepare makes every organisation's keys, so it is connected to nothing.
func (p Plan) prepare(hardened *Hardened) service {
	s := step(hardened, "prepare", "--data", p.Table.Root(), "--consortium", topologyPath, "--subnet", p.Subnet.String(), "--tools", toolsPath)
	s.NetworkMode = "none"
	s.Volumes = []volume{{Type: "volume", Source: volumeName, Target: p.Table.Root()}}
	s.Configs = []mountedConfig{{Source: topologyConfig, Target: topologyPath}}
	return s
}

// setup signs with every organisation's administrator, so it reads what they have. It
// writes what registrars are issued.
func (p Plan) setup(hardened *Hardened) service {
	s := step(hardened, "setup", "--data", p.Table.Root())
	s.Volumes = []volume{{Type: "volume", Source: volumeName, Target: p.Table.Root(), ReadOnly: true}}
	for _, ca := range p.Table.Of(settings.CA, "") {
		s.Volumes = append(s.Volumes, p.folder(p.Table.Registrar(ca.MSP), false))
	}
	s.Networks = p.everywhere()
	s.DependsOn = map[string]condition{}
	for _, kind := range []settings.Kind{settings.Orderer, settings.CA, settings.Peer, settings.Chaincode} {
		for _, node := range p.Table.Of(kind, "") {
			s.DependsOn[node.Name] = healthy
		}
	}
	return s
}
