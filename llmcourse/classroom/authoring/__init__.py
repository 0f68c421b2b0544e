"""From a lesson to notebooks: building, executing, releasing, a scaffold for new lessons, and their known answers."""
