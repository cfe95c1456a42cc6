package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pie-consortium/pie/client/internal/emr"
	"github.com/pie-consortium/pie/client/internal/home"
	"github.com/pie-consortium/pie/client/rule"
	"github.com/pie-consortium/pie/ledger"
	"github.com/pie-consortium/pie/ledger/fault"
	"github.com/pie-consortium/pie/ledger/trust"
)

// rulesFile is what the patient lets their agent answer.
const rulesFile = "agent-rules.json"

// Rules are the standing rules kept in the directory of a home. They say nothing secret
// to its owner: no key is needed.
func Rules(dir string) ([]rule.Rule, error) {
	store, err := home.Open(dir)
	if err != nil {
		return nil, err
	}
	return readRules(store)
}

func readRules(store *home.Home) ([]rule.Rule, error) {
	text, err := store.Read(rulesFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rules, err := rule.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", rulesFile, err)
	}
	return rules, nil
}

// SetRules replaces the patient's standing rules, and then the keys that their agent has:
// an agent that runs follows the new rules at once, and cannot do more than they say.
// Should the keys fail, [Client.RefreshAgentKeys] repeats that part.
func (c *Client) SetRules(ctx context.Context, rules []rule.Rule) error {
	if c.identity.Role != ledger.RolePatient {
		return fault.New(fault.PermissionDenied, "standing rules are a patient's; you are a %s", c.identity.Role)
	}
	if err := rule.Validate(rules); err != nil {
		return err
	}
	text, err := rule.Format(rules)
	if err != nil {
		return err
	}
	if err := c.home.Write(rulesFile, text); err != nil {
		return err
	}
	if _, err := c.RefreshAgentKeys(ctx); err != nil {
		return fmt.Errorf("the rules are kept, the agent's keys are as before; run: pie agent refresh: %w", err)
	}
	return nil
}

// RefreshAgentKeys gives the agent the keys of the records that the rules reach, takes all others
// from it, and says how many it has. An authorised record whose class nobody knows yet
// counts as reached when it could be. Without rules the agent has nothing.
func (c *Client) RefreshAgentKeys(ctx context.Context) (int, error) {
	rules, err := readRules(c.home)
	if err != nil {
		return 0, err
	}
	if len(rules) == 0 {
		return 0, c.home.RemoveAgentKeys()
	}
	c.step("looking for the records that the rules reach")
	views, err := c.Search(ctx, ledger.SearchRecords{Patient: c.identity.User})
	if err != nil {
		return 0, err
	}
	slots, err := c.Slots(ctx)
	if err != nil {
		return 0, err
	}
	keys := c.agentKeys()
	for _, view := range views {
		if view.Live() != nil || !reaches(rules, matterOf(view)) {
			continue
		}
		if err := c.addKeyOf(ctx, keys, view); err != nil {
			return 0, err
		}
	}
	for _, slot := range slots {
		if !slot.Used && mayReach(rules, rule.Matter{Record: slot.Record, Level: lowest(slot.Policy)}) {
			c.addKey(keys, ledger.RecordVersion{Record: slot.Record, Version: firstVersion})
		}
	}
	return len(keys.Records), c.home.WriteAgentKeys(keys)
}

// addAgentKeys gives the agent, when there is one, the keys of records yet to be written.
func (c *Client) addAgentKeys(slots []ledger.NewSlot) error {
	c.agentFile.Lock()
	defer c.agentFile.Unlock()
	rules, err := readRules(c.home)
	if err != nil || len(rules) == 0 || !c.home.HasAgentKeys() {
		return err
	}
	keys, err := c.home.ReadAgentKeys()
	if err != nil {
		return err
	}
	for _, wanted := range slots {
		if mayReach(rules, rule.Matter{Record: wanted.Record, Level: lowest(wanted.Policy)}) {
			c.addKey(keys, ledger.RecordVersion{Record: wanted.Record, Version: firstVersion})
		}
	}
	return c.home.WriteAgentKeys(keys)
}

// agentKeys are those that every agent has, and no record's.
func (c *Client) agentKeys() home.AgentKeys {
	return home.AgentKeys{Identity: c.creator.Signer.Key, Signing: c.keys.signing().Bytes(), Records: map[ledger.RecordVersion][]byte{}}
}

func (c *Client) addKey(keys home.AgentKeys, v ledger.RecordVersion) {
	keys.Records[v] = c.keys.record(v.Record, v.Version).Bytes()
}

// addKeyOf adds the key of a record that exists: derived here, or out of escrow. One that
// this patient does not have is left out.
func (c *Client) addKeyOf(ctx context.Context, keys home.AgentKeys, view ledger.RecordView) error {
	v := ledger.RecordVersion{Record: view.ID, Version: view.Version}
	secret := c.keys.record(v.Record, v.Version)
	if view.Unattended {
		var err error
		if secret, err = c.recordSecret(ctx, v); errors.Is(err, emr.ErrNotRegistered) {
			return nil
		} else if err != nil {
			return fmt.Errorf("the key of record %s: %w", v.Record, err)
		}
	}
	statement, err := trust.PeekKeyStatement(view.RecordKey)
	if err == nil && string(statement.Key) == string(secret.PublicKey().Bytes()) {
		keys.Records[v] = secret.Bytes()
	}
	return nil
}

func matterOf(view ledger.RecordView) rule.Matter {
	matter := rule.Matter{Record: view.ID, Level: view.Level}
	if view.Metadata != nil {
		matter.Class = view.Metadata.Class
	}
	return matter
}

// lowest is the lowest level that a record under the policy can have.
func lowest(policy ledger.Policy) ledger.Level {
	if policy.Level == "" {
		return ledger.LevelLow
	}
	return policy.Level
}

func reaches(rules []rule.Rule, m rule.Matter) bool {
	for _, r := range rules {
		if r.Excludes(m) == "" {
			return true
		}
	}
	return false
}

func mayReach(rules []rule.Rule, m rule.Matter) bool {
	for _, r := range rules {
		if r.MayReach(m) {
			return true
		}
	}
	return false
}
