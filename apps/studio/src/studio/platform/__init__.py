"""What every studio's own life rests on: accounts, sign-up, provisioning, plans, jobs and mail, all in the control database."""
