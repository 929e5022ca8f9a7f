"""What was served when: releases, and documents as they were."""
