// Package daybooktest is for the tests of applications that record events, and of adapters.
package daybooktest
