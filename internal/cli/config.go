package cli

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/run"
)

// Which flags stand for a key of the configuration. A flag beats the environment beats the file beats the default.
var flagKeys = map[string]string{
	"seed":             "seed",
	"threads":          "threads",
	"device":           "device",
	"patients":         "generate.patients",
	"slots":            "generate.slots",
	"bootstrap":        "evaluate.bootstrap",
	"steps":            "train.steps",
	"context":          "train.context",
	"precision":        "train.precision",
	"recompute":        "train.recompute",
	"report-mask-mass": "generate.report_mask_mass",
	"kv-cache":         "generate.kv_cache",
	"metrics-addr":     "monitor.metrics_addr",
	"metrics-public":   "monitor.metrics_public",
}

// load puts the configuration of a command together.
func (a *app) load(cmd *cobra.Command) (run.Config, error) {
	defaults := run.DefaultConfig()
	known, err := flatten(defaults)
	if err != nil {
		return run.Config{}, err
	}
	v := viper.New()
	for key, value := range known {
		v.SetDefault(key, value)
	}
	v.SetEnvPrefix("SYNEHRGY")
	v.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
	v.AutomaticEnv()
	if a.config != "" {
		if err := readConfig(v, a.config, known); err != nil {
			return run.Config{}, err
		}
	}
	if f := cmd.Flags().Lookup("threads"); f != nil && f.Changed && f.Value.String() == "0" {
		return run.Config{}, fault.Usagef("--threads is 0, expected 1 to 256; leave it out for as many as this process may use")
	}
	for flag, key := range flagKeys {
		if flag == "precision" && (cmd.Name() == "generate" || cmd.Flags().Arg(0) == "generate") { // bench generate
			key = "generate.precision"
		}
		if f := cmd.Flags().Lookup(flag); f != nil {
			if _, ok := known[key]; ok && f.Changed {
				v.Set(key, f.Value.String())
			}
		}
	}
	config := defaults
	err = v.UnmarshalExact(&config, func(c *mapstructure.DecoderConfig) { c.TagName, c.Squash, c.ZeroFields = "yaml", true, true })
	if err != nil {
		return run.Config{}, fault.Usagef("the configuration cannot be used: %s", err)
	}
	if err := config.Validate(); err != nil {
		return run.Config{}, err
	}
	return config, nil
}

// readConfig reads a YAML file into v, after checking that every key of it is one we know.
func readConfig(v *viper.Viper, path string, known map[string]any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fault.Usagef("the configuration file cannot be read: %s", err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return fault.Usagef("%s is not YAML: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	for _, root := range document.Content {
		if err := checkKeys(path, "", root, known); err != nil {
			return err
		}
	}
	v.SetConfigType("yaml")
	if err := v.ReadConfig(bytes.NewReader(text)); err != nil {
		return fault.Usagef("%s is not YAML: %s", path, err)
	}
	return nil
}

// checkKeys walks the keys of a mapping, in the order of the file.
func checkKeys(path, prefix string, node *yaml.Node, known map[string]any) error {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Kind != yaml.MappingNode {
		return fault.Usagef("%s, row %d: expected keys and values", path, node.Line)
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		name := prefix + key.Value
		switch {
		case isKnown(name, known):
		case isSection(name, known):
			if err := checkKeys(path, name+".", value, known); err != nil {
				return err
			}
		default:
			return fault.Usagef("%s, row %d: unknown key %q; the nearest known one is %q", path, key.Line, name, fault.Nearest(name, sortedKeys(known)))
		}
	}
	return nil
}

// isSection tells whether known keys begin with this one.
func isSection(key string, known map[string]any) bool {
	for k := range known {
		if strings.HasPrefix(k, key+".") {
			return true
		}
	}
	return false
}

// isKnown accepts a key of the configuration, and any name under a key that holds names of the user's data.
func isKnown(key string, known map[string]any) bool {
	if _, ok := known[key]; ok {
		return true
	}
	for i, c := range key {
		if _, isMap := known[key[:i]].(map[string]any); c == '.' && isMap {
			return true
		}
	}
	return false
}

// flatten turns a configuration into dotted keys with their default values.
func flatten(config run.Config) (map[string]any, error) {
	text, err := yaml.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("the defaults are no YAML: %w", err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return nil, fmt.Errorf("the defaults are no YAML: %w", err)
	}
	out := map[string]any{}
	flattenInto(out, "", tree)
	return out, nil
}

func sortedKeys(tree map[string]any) []string { return slices.Sorted(maps.Keys(tree)) }

func flattenInto(out map[string]any, prefix string, tree map[string]any) {
	for key, value := range tree {
		if branch, ok := value.(map[string]any); ok && len(branch) > 0 {
			flattenInto(out, prefix+key+".", branch)
			continue
		}
		out[prefix+key] = value
	}
}
