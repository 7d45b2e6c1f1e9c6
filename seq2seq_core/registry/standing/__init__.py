"""What a registered version is now: champion, challenger or former champion, by the ledger; and the version's pages that say it."""
