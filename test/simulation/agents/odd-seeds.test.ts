import { playAgents } from './agents';

playAgents(1);
