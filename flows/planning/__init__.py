"""What a run would do, before it does anything: which stages, why, and what they cost last time."""
