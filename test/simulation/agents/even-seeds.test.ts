import { playAgents } from './agents';

playAgents(0);
