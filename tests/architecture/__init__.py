"""Rules of the house that no linter knows: budgets, registries, words, bans."""
